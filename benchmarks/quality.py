"""Quality of taggers against others: same corpus, same split, same number of steps, same seeds.

    python -m benchmarks.quality --corpus rendered --contestants plain,paper/spectrogram,small/musicnn,logistic
    python -m benchmarks.quality --corpus rendered --corpus fluidsynth --transfer --target-pr 0.5 --seeds 3
    python -m benchmarks.quality --esc10 FOLDER --weights published/musicnn-0.1.0-py3-none-any.whl
    python -m benchmarks.quality --dataset DATASET --label-set NAME

`plain` is the published network under Keras's `fit` with Adam and its last weights. RECIPE/FRONTEND is this project's
training under a recipe, with the checkpoint that is best on the validation split. `logistic` and `trees` read log-mel
statistics, `probe` is a logistic regression on embeddings of the published MTT_musicnn. Patch length, batch size and steps
are the same for all networks and take the place of what a recipe says about them, and nothing stops early.

ROC-AUC and PR-AUC are means over tags on the test split, with intervals of 95 % over groups of tracks (training/metrics).
Accuracy is that of the highest score where every track has exactly one tag. CPU seconds are those of the process that
trains and tests, imports and validations included; ours writes its report too. Examples are the training examples seen when
the validation PR-AUC first reached --target-pr, to a multiple of --validate-every steps.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import esc10
from benchmarks.command_line import ends_with_one_line
from benchmarks.demo_labels import TRACKS
from benchmarks.quality_contestants import Contestant, Outcome, Rules, compete, configuration, parse_contestants
from benchmarks.quality_corpora import RENDERED, Corpus, CorpusOptions, make_corpora, transferred
from benchmarks.quality_table import HEADING, Row, line, mean_lines
from benchmarks.results import write_results
from benchmarks.training_step import cpu_name
from schemas.console.errors import UserError

CONTESTANTS = "plain,paper/spectrogram,small/spectrogram,small/musicnn,logistic,trees,probe"
VALIDATIONS = 10  # of a training, by default


def main() -> None:
    """Measure, print a table, write JSON."""
    given = _parser().parse_args()
    contestants = parse_contestants(given.contestants)
    rules = _rules(given)
    if rules.weights is None and any(one.kind == "probe" for one in contestants):
        print("probe: left out, since it needs --weights WHEEL; docs/published_weights.md says where the wheel is from")
        contestants = [one for one in contestants if one.kind != "probe"]
    if given.seeds < 1:
        raise UserError(f"--seeds: expected at least 1, received {given.seeds}")
    options = CorpusOptions(
        rendered=given.corpus,
        tracks=given.tracks,
        esc10_folder=given.esc10,
        folds=_folds(given.folds),
        validation_share=given.validation_share,
        dataset=given.dataset,
        label_set=given.label_set,
    )
    with tempfile.TemporaryDirectory() as folder:
        corpora = make_corpora(options, given.folder or Path(folder, "corpora"))
        rows = _measure(corpora, contestants, rules, given, Path(folder, "run"))
    if means := mean_lines(rows):
        print("\nmeans", *means, sep="\n")
    if given.esc10 is not None:
        published = ", ".join(f"{who} {share:.1%}" for who, share in esc10.PUBLISHED.items())
        print(f"\nESC-10, published mean accuracy: {published} ({esc10.PUBLISHED_SOURCE})")


def _measure(
    corpora: list[Corpus], contestants: list[Contestant], rules: Rules, given: argparse.Namespace, folder: Path
) -> list[Row]:
    """Train and test everyone; results are printed and written as they come, so that those of hours are never lost."""
    rows: list[Row] = []
    measured: list[dict[str, Any]] = []
    for contestant in contestants:
        if contestant.kind == "ours":
            configuration(contestant, corpora[0], 0, rules)  # a wrong recipe is reported before hours of training
    print(HEADING, flush=True)
    for corpus in corpora:
        others = transferred(corpus, corpora) if given.transfer else []
        for contestant in contestants:
            for seed in range(given.seeds if contestant.is_random else 1):
                outcome = compete(contestant, corpus, others, seed, rules, folder)
                shutil.rmtree(folder, ignore_errors=True)  # checkpoints of many runs would fill the disk
                of = _rows(corpus, others, contestant, seed, outcome, given.target_pr)
                print(*map(line, of), sep="\n", flush=True)
                rows += of
                measured += [{**row.to_dict(), "validation": outcome.validation} for row in of]
                write_results(given.results, {"cpu": cpu_name(), "rules": dataclasses.asdict(rules), "rows": measured})
    return rows


def _rows(
    corpus: Corpus,
    others: list[Corpus],
    contestant: Contestant,
    seed: int,
    outcome: Outcome,
    target: float | None,
) -> list[Row]:
    return [
        Row(
            trained_on=corpus,
            tested_on=tested,
            contestant=contestant.name,
            seed=seed if contestant.is_random else None,
            figures=outcome.figures[tested.title],
            cpu_seconds=outcome.cpu_seconds,
            examples=None if target is None else outcome.examples_to(target),
        )
        for tested in (corpus, *others)
    ]


def _rules(given: argparse.Namespace) -> Rules:
    for option in ("steps", "batch_size", "validate_every"):
        if getattr(given, option) is not None and getattr(given, option) < 1:
            raise UserError(f"--{option.replace('_', '-')}: expected at least 1, received {getattr(given, option)}")
    if given.weights is not None and not Path(given.weights).exists():
        raise UserError(
            f"--weights: expected the wheel of the package musicnn, received {given.weights}, which is missing"
        )
    return Rules(
        steps=given.steps,
        batch_size=given.batch_size,
        patch_seconds=given.patch_seconds,
        validate_every=given.validate_every or max(1, given.steps // VALIDATIONS),
        weights=given.weights,
    )


def _folds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UserError(f"--folds: expected numbers such as 1,2, received {text!r}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--contestants", default=CONTESTANTS, help=f"[default: {CONTESTANTS}]")
    add("--corpus", action="append", default=[], choices=RENDERED, help="A rendered corpus; may be given twice.")
    add("--tracks", type=int, default=TRACKS, help="Tracks of each rendered corpus. [default: %(default)s]")
    add("--esc10", type=Path, metavar="FOLDER", help="ESC-10: catalog.csv with a column fold, annotations.csv, audio.")
    add("--folds", default=",".join(map(str, esc10.FOLDS)), help="Folds of ESC-10 to test. [default: %(default)s]")
    add(
        "--validation-share",
        type=float,
        default=esc10.VALIDATION_SHARE,
        help="Of its other folds. [default: %(default)s]",
    )
    add("--dataset", help="A dataset of your own, with --label-set.")
    add("--label-set")
    add("--folder", type=Path, help="Where corpora are made, and found again the next time. [default: a temporary one]")
    add("--transfer", action="store_true", help="Test on the test split of each other corpus too.")
    add("--weights", metavar="WHEEL", help="Wheel of the package musicnn, for the probe.")
    add("--steps", type=int, default=1000, help="Steps of each network. [default: %(default)s]")
    add("--validate-every", type=int, help="Steps between validations. [default: a tenth of all steps]")
    add("--seeds", type=int, default=1, help="Number of trainings of each network. [default: %(default)s]")
    add("--batch-size", type=int, default=32, help="[default: %(default)s]")
    add("--patch-seconds", type=float, default=3.0, help="[default: %(default)s]")
    add(
        "--results",
        default="quality",
        metavar="NAME",
        help="Writes benchmarks/results/NAME.json. [default: %(default)s]",
    )
    add("--target-pr", type=float, help="Validation PR-AUC whose number of examples is reported.")
    return parser


if __name__ == "__main__":
    with ends_with_one_line():
        main()
