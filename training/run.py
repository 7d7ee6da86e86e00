"""Command line of the training stage: python training/run.py COMMAND, or tagscale-train where it is installed."""

import os
import sys

# `python training/run.py` puts training/ itself first on the path, where config.py and input.py would shadow other
# modules: the checkout's root belongs there.
_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != os.path.realpath(_HERE)]
if os.path.dirname(_HERE) not in sys.path:
    sys.path.insert(0, os.path.dirname(_HERE))

from schemas.console.interpreter import require_packages, require_python

require_python()  # before anything is imported that an old one does not understand

from schemas.console.stopping import stop_on_signals

if __name__ == "__main__" or os.path.basename(sys.argv[0]) == "tagscale-train":
    stop_on_signals()  # before the other imports, since a user may press ^C while they run

require_packages(without=("apache_beam",))  # before anything is imported that may be missing

from typing import Any, Literal

import click

from schemas.console.commandline import run_command
from schemas.console.commands import Group
from schemas.console.errors import EXIT_REGRESSION
from schemas.console.printer import print_fields, print_report
from schemas.console.shown_commands import training_command
from training.chosen_runs import run_folders
from training.config_options import file_options, train_options
from training.devices.out_of_memory import explained_out_of_memory
from training.devices.tensorflow_import import import_tensorflow
from training.help_pages import EXAMPLE, PAGES, STUDYS_OWN
from training.published.commands import import_weights_command
from training.serving.commands import export_command, tag_command
from training.shipping_diff.command import compare_tags_command, require_options_of_one_kind, tags_options

STAGE_HELP = "Folder on a local disk to copy features to before they are read [default: read them in place]."


class _Commands(Group):
    """The commands; any of them may run out of memory."""

    def invoke(self, ctx: click.Context) -> Any:
        with explained_out_of_memory():
            return super().invoke(ctx)


@click.group(cls=_Commands, pages=PAGES, example=EXAMPLE, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """From feature shards and a label set to a trained tagger."""


@cli.command("train")
@click.option("--out", required=True, help="Run folder: a new one, or one to resume.")
@file_options
@click.option("--stage", help=STAGE_HELP)
@train_options()
def train_command(out: str, config: str | None, recipe: str | None, stage: str | None, **options: object) -> None:
    """Train a tagger. The same command on a run that was stopped resumes it.

    A run keeps the labels that it began with. If the label set has changed since, --label-set NAME@OLD resumes with the old
    labels, and --init-from RUN --out NEW starts a new run on the new labels from its weights.
    """
    from training.config_sources import resolve_config

    resolved = resolve_config(config, options, recipe=recipe)
    import_tensorflow()
    from training.fit.summary import train_report
    from training.fit.train import train

    summary = train(resolved, out, stage=stage)
    print_report(train_report(summary))


@cli.command("study")
@click.option("--out", required=True, help="Study folder: a new one, or one to resume.")
@click.option(
    "--shares",
    default="1/16,1/4,1",
    show_default=True,
    help="Shares of the training split to train on, in whole groups.",
)
@click.option("--seeds", default=3, show_default=True, help="Number of trainings of each front-end on each share.")
@click.option("--frontends", default="spectrogram,waveform", show_default=True)
@file_options
@click.option("--stage", help=STAGE_HELP)
@train_options(without=STUDYS_OWN)
def study_command(
    out: str,
    shares: str,
    seeds: int,
    frontends: str,
    config: str | None,
    recipe: str | None,
    stage: str | None,
    **options: object,
) -> None:
    """Train several front-ends on growing shares of the data. The same command on a study that was stopped resumes it.

    What counts epochs (--epochs, --stop-epochs, --plateau-epochs, --validate-every) counts passes over the whole
    training split: every share is trained for as many steps. What counts steps is the same for every share.
    --stop-epochs is 10 unless it or --stop-steps is given, or the schedule is a cosine.
    """
    from training.study.plan import make_plan, study_config

    plan = make_plan(study_config(config, options, frontends, recipe), shares, seeds, frontends)
    from training.study.study import run_study
    from training.study.summary import study_report

    print_report(study_report(run_study(plan, out, stage=stage), out))


@cli.command("evaluate")
@run_folders
@click.option("--split", default="test", show_default=True, type=click.Choice(["train", "validation", "test"]))
@click.option(
    "--dataset", help="Another dataset to evaluate on, with --label-set [default: the one that the run was trained on]."
)
@click.option(
    "--label-set", help="Labels to evaluate against, NAME or NAME@HASH [default: those that the run was trained on]."
)
@click.option(
    "--baseline",
    is_flag=False,
    flag_value="logistic",
    type=click.Choice(["logistic", "trees", "both"]),
    help="Also fit and evaluate simple models on log-mel statistics [without a value: logistic].",
)
@click.option("--stage", help=STAGE_HELP)
def evaluate_command(
    run_folders: tuple[str, ...],
    split: str,
    dataset: str | None,
    label_set: str | None,
    baseline: str | None,
    stage: str | None,
) -> None:
    """Compute exact ROC-AUC, PR-AUC and F1 of a run's best epoch, scoring every track of a split once.

    Several runs are evaluated as an ensemble, whose logits are the means of theirs.
    """
    import_tensorflow()
    from training.baselines.kinds import ALL_BASELINES, BASELINES
    from training.evaluation.evaluate import evaluate
    from training.evaluation.summary import evaluation_report
    from training.report.page import report_evaluation

    kinds = [kind for kind in BASELINES if baseline in (kind, ALL_BASELINES)]
    result = evaluate(run_folders, split, dataset=dataset, label_set=label_set, baselines=kinds, stage=stage)
    report_evaluation(result)
    print_report(evaluation_report(result))


@cli.command("compare")
@click.argument("run_a")
@click.argument("run_b")
@click.option("--split", default="test", show_default=True, type=click.Choice(["train", "validation", "test"]))
@click.option("--label-set", help="Labels to evaluate both runs against, NAME or NAME@HASH [default: those of RUN_B].")
@click.option("--metric", default="pr_auc", show_default=True, type=click.Choice(["pr_auc", "roc_auc"]))
@click.option(
    "--max-regression",
    type=click.FloatRange(0, 1),
    help="Exit 3 unless the confidence interval rules out a larger drop.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the JSON that is written to the file; with --tags, all figures."
)
@click.option("--stage", help=STAGE_HELP)
@tags_options
def compare_command(
    run_a: str,
    run_b: str,
    split: str,
    label_set: str | None,
    metric: Literal["pr_auc", "roc_auc"],
    max_regression: float | None,
    as_json: bool,
    stage: str | None,
    tags: bool,
    **of_tags: Any,
) -> None:
    """Test whether RUN_B is better than RUN_A on the same tracks, with a paired jackknife over whole groups.

    With --tags the two are folders that `pipeline.run tag` wrote: tell which tags of which tracks flip if the second ships.

    --metric is what tags are ranked by, and what --max-regression is about, in the mean over tags. Exit codes: 0 done,
    or let through; 2 the input is wrong; 3 --max-regression is not excluded, for example because there is no interval
    from fewer than ten groups, or more than --max-flips flip; 75 stopped, 130 stopped by ^C; 1 anything else.
    """
    require_options_of_one_kind()
    if tags:
        compare_tags_command(run_a, run_b, as_json=as_json, **of_tags)
        return
    import_tensorflow()
    from training.comparison.compare import compare
    from training.comparison.result import comparison_json, gate_of
    from training.comparison.summary import comparison_report

    result = compare(run_a, run_b, split, label_set=label_set, stage=stage)
    gate = None if max_regression is None else gate_of(result, metric, max_regression)
    fields = comparison_json(result, gate)
    result.run_b.folder.write_json(result.uri, fields, checked=False)
    if as_json:
        print_fields(fields)
    else:
        print_report(comparison_report(result, metric, gate))
    if gate is not None and not gate.passed:
        sys.exit(EXIT_REGRESSION)


@cli.command("report")
@click.option("--run", "run_folder", required=True, help="Folder of the run.")
@click.option(
    "--split",
    type=click.Choice(["test", "validation"]),
    help="Split whose evaluation to show [default: test if it was evaluated, otherwise validation].",
)
def report_command(run_folder: str, split: str | None) -> None:
    """Write RUN/report.html: curves, tags, example tracks, tags mistaken for each other, and how to repeat the run."""
    import_tensorflow()
    from training.report.page import write_report
    from training.report.summary import page_report

    page = write_report(run_folder, split)
    print_report(page_report(page, run_folder))


@cli.command("listen")
@click.option("--model", required=True, help="SavedModel written by `export`.")
@click.option("--index", help="Folder of tags that `pipeline.run tag` wrote with this model: also show similar tracks.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="0: any that is free.")
def listen_command(model: str, index: str | None, port: int) -> None:
    """Serve a page on this machine alone: drop a song, and hear and see what the model hears.

    ^C and SIGTERM end it with exit code 0, since there is nothing to save.
    """
    import_tensorflow()
    from training.listen.listen import listen

    listen(model, index=index, port=port)


cli.add_command(export_command)
cli.add_command(import_weights_command)
cli.add_command(tag_command)


def main() -> None:
    """Entry point of `python training/run.py` and tagscale-train."""
    run_command(cli, training_command(), "tagscale-train")


if __name__ == "__main__":
    main()
