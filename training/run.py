"""Command line of the training stage: python training/run.py COMMAND, or tagscale-train where it is installed."""

from __future__ import annotations

import json
import os
import sys

# `python training/run.py` puts training/ itself first on the path, where config.py and input.py would shadow other
# modules: the checkout's root belongs there.
_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != _HERE]
if os.path.dirname(_HERE) not in sys.path:
    sys.path.insert(0, os.path.dirname(_HERE))

import click  # noqa: E402

from schemas.commandline import run_command  # noqa: E402
from schemas.errors import EXIT_USER_INPUT  # noqa: E402
from training.tensorflow_import import import_tensorflow  # noqa: E402
from training.train_options import train_options  # noqa: E402

SHOWN_TAGS = 5  # highest scores printed per file
STAGE_HELP = "Folder on a local disk that features are copied to ahead of use [default: read where they lie]."


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """From feature shards and a label set to a trained tagger."""


@cli.command("train")
@click.option("--out", required=True, help="Folder of the run, new or begun before.")
@click.option("--config", help="YAML file, or the config.json of a run; options given here go over it.")
@click.option("--stage", help=STAGE_HELP)
@train_options
def train_command(out: str, config: str | None, stage: str | None, **options: object) -> None:
    """Train a tagger. The same command on a run that was stopped resumes it."""
    from training.config import resolve_config

    resolved = resolve_config(config, options)
    import_tensorflow()
    from training.train import train

    summary = train(resolved, out, stage=stage)
    state = summary.state
    took = (
        f"{summary.trained_steps:,} steps in {summary.seconds:.0f} s, {summary.examples_per_second:.1f} examples/s, "
        f"{summary.input_wait:.1%} of the time waiting for data"
        if summary.trained_steps
        else "nothing left to do"
    )
    print(f"{out}: {took}")
    print(f"  {state.epoch} epochs over {summary.tracks:,} tracks in all, best at epoch {state.best_epoch}")
    if summary.removed:
        print(f"  {summary.removed:,} labelled tracks were left out: they were removed from the dataset")
    print(f"next: python training/run.py evaluate --run {out}")


@cli.command("evaluate")
@click.option("--run", "run_folder", required=True, help="Folder of the run.")
@click.option("--split", default="test", show_default=True, type=click.Choice(["train", "validation", "test"]))
@click.option("--label-set", help="NAME or NAME@HASH to evaluate against [default: what it was trained on].")
@click.option("--baseline", is_flag=True, help="Beside a logistic regression on log-mel statistics.")
@click.option("--stage", help=STAGE_HELP)
def evaluate_command(run_folder: str, split: str, label_set: str | None, baseline: bool, stage: str | None) -> None:
    """Exact ROC-AUC and PR-AUC of a run's best epoch, every track of a split once."""
    import_tensorflow()
    from training.evaluate import evaluate

    result = evaluate(run_folder, split, label_set=label_set, baseline=baseline, stage=stage)
    defined = f"{result.metrics.tags_defined} of {len(result.vocabulary)} tags"
    print(f"{run_folder} on {result.tracks:,} {split} tracks, {defined}, per track, 95 % intervals over tracks:")
    for name, metrics in (("model", result.metrics), ("logistic regression", result.baseline)):
        if metrics is not None:
            roc, precision = metrics.roc_auc_interval, metrics.pr_auc_interval
            print(
                f"  {name:<20} ROC-AUC {metrics.roc_auc_macro:.4f} [{roc[0]:.4f}, {roc[1]:.4f}]   "
                f"PR-AUC {metrics.pr_auc_macro:.4f} [{precision[0]:.4f}, {precision[1]:.4f}]"
            )
    if result.removed:
        print(f"  {result.removed:,} tracks of the split were left out: they were removed from the dataset")
    if result.mapping.unknown:
        print(f"  tags of {result.mapping.labels.reference} that the model lacks: {', '.join(result.mapping.unknown)}")
    if result.mapping.unused:
        print(f"  tags of the model that {result.mapping.labels.reference} lacks: {', '.join(result.mapping.unused)}")
    if result.seen:
        print(f"  {result.seen:,} tracks were left out: the model was trained or chosen by them")
    print(f"  written to {run_folder}/evaluation/{result.name}.json and {result.name}_per_tag.csv")
    print(f"next: python training/run.py export --run {run_folder} --out {run_folder}/saved_model")


@cli.command("export")
@click.option("--run", "run_folder", required=True, help="Folder of the run.")
@click.option("--out", required=True, help="Folder of the SavedModel.")
def export_command(run_folder: str, out: str) -> None:
    """Write a run's best epoch as a SavedModel that takes raw audio."""
    import_tensorflow()
    from training.export import export

    summary = export(run_folder, out)
    print(
        f"{out}: {summary.tags} tags, patches of {summary.patch_seconds:g} s, epoch {summary.epoch}, "
        f"{summary.bytes / 1e6:.1f} MB"
    )
    print(f"next: python training/run.py tag --model {out} FILE…")


@cli.command("tag")
@click.option("--model", required=True, help="A SavedModel that `export` wrote.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with all scores.")
@click.argument("files", nargs=-1, required=True)
def tag_command(model: str, as_json: bool, files: tuple[str, ...]) -> None:
    """Tag audio files."""
    import_tensorflow()
    from training.tag import tag_files

    tagged = tag_files(model, files)
    for one in tagged:
        if as_json:
            fields = {"file": one.file, "seconds": one.seconds, "scores": one.scores, "problem": one.problem}
            print(json.dumps(fields, ensure_ascii=False))
        elif one.problem is not None:
            print(f"{one.file}: not tagged: {one.problem}")
        else:
            top = ", ".join(f"{tag} {score:.2f}" for tag, score in list(one.scores.items())[:SHOWN_TAGS])
            print(f"{one.file} ({one.seconds:.1f} s): {top}")
    if any(one.problem is not None for one in tagged):
        sys.exit(EXIT_USER_INPUT)


def main() -> None:
    """Entry point of `python training/run.py` and tagscale-train."""
    run_command(cli, "training/run.py")


if __name__ == "__main__":
    main()
