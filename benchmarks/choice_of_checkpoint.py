"""Which checkpoint of a run is best for tracks never seen: python -m benchmarks.choice_of_checkpoint

A run is trained once for each schedule and seed, and keeps the checkpoint of every validation. Each rule then chooses one
of them by the validation split, or by a part of it in whole groups, and the table shows what the chosen weights score on
the test split: the mean over the runs, and how far that is below the best checkpoint by PR-AUC there, which no rule can
know. `mean of the last quarter` averages the weights of those checkpoints and measures the statistics of batch norm again.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.demo_labels import write_corpus
from benchmarks.results import write_results
from training.config import TrainConfig
from training.devices.own_process import in_own_process

# A network that learns small corpora in minutes on two cores.
BASE: dict[str, Any] = {
    **{"patch_seconds": 1.5, "batch_size": 16, "num_filt": 4, "backend_filters": 128, "dense_units": 100},
    **{"dropout": 0.2, "batch_norm_momentum": 0.9, "keep_checkpoints": 1_000_000},
}
SHARES = (0.25, 0.5, 1.0)  # of the validation split's groups
RULES = ("loss", "pr_auc", "roc_auc", "last")
AVERAGE = "mean of the last quarter"


@dataclasses.dataclass(frozen=True)
class Scored:
    """The scores of a run's checkpoints.

    Attributes:
        validation: float32 [checkpoints, tracks, tags].
        validation_targets: float32 [tracks, tags]; NaN is unknown.
        groups: number of the group of each validation track.
        test: float32 [checkpoints, tracks, tags]; the row after the last checkpoint is that of the averaged weights.
        test_targets: float32 [tracks, tags].
        values: kind of the labels' values, which decides the loss.
        positive_at: lowest target that counts as positive.
    """

    validation: npt.NDArray[np.float32]
    validation_targets: npt.NDArray[np.float32]
    groups: npt.NDArray[np.int64]
    test: npt.NDArray[np.float32]
    test_targets: npt.NDArray[np.float32]
    values: str
    positive_at: float

    def areas(self, targets: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]) -> dict[str, float]:
        """The figures that a rule chooses by: the loss that is trained, macro ROC-AUC and PR-AUC."""
        from training.fit.losses import TrainingLoss, resolve_loss
        from training.metrics.tagging import tagging_metrics

        metrics = tagging_metrics(targets, scores, positive_at=self.positive_at)
        loss = TrainingLoss(resolve_loss("auto", self.values)).mean(targets, scores)
        return {"loss": loss, "roc_auc": metrics.roc_auc_macro, "pr_auc": metrics.pr_auc_macro}


def chosen_by_each_rule(config: TrainConfig, run: str) -> list[tuple[str, float, dict[str, float]]]:
    """Rule, share of the validation split, and the chosen weights' figures on the test split, of a new run."""
    return list(chosen(trained_and_scored(config, run)))


def trained_and_scored(config: TrainConfig, run: str) -> Scored:
    """Train a run, and score both splits with the weights of each validation."""
    from training.devices.tensorflow_import import import_tensorflow

    import_tensorflow()
    from training.data.groups import track_groups
    from training.data.labels import labelled_tracks
    from training.data.records import TrackRecords
    from training.devices.strategies import make_strategy
    from training.evaluation.scoring import TrackScorer
    from training.fit.batch_norm_statistics import BatchNormStatistics
    from training.fit.train import train
    from training.runs.checkpoints import model_variables
    from training.runs.trained import open_run

    train(config, run)
    opened = open_run(run)
    records = {
        side: TrackRecords(opened.dataset, labelled_tracks(opened.dataset, opened.labels, opened.spec, side))
        for side in ("train", "validation", "test")
    }
    model, patch = opened.model, opened.config.patch
    variables, scorer = model_variables(model), TrackScorer(model, patch, config.batch_size)
    checkpoints = opened.folder.checkpoints()
    scores: dict[str, list[npt.NDArray[np.float32]]] = {"validation": [], "test": []}
    steps = sorted(path.name for path in Path(run, "checkpoints").glob("step-*"))
    sums, counted = {name: np.zeros(variable.shape) for name, variable in variables.items()}, 0
    for number, name in enumerate(steps):
        checkpoints.load(name, variables)
        for side, rows in scores.items():
            rows.append(scorer.scores(records[side]))
        if number >= len(steps) * 3 // 4:
            counted += 1
            for key, variable in variables.items():
                sums[key] += np.asarray(variable)
    for key, variable in variables.items():
        variable.assign(sums[key] / counted)
    statistics = BatchNormStatistics(
        model, records["train"], patch, config.batch_size, config.seed, make_strategy("single")
    )
    with statistics.in_place(lambda _done: None):
        scores["test"].append(scorer.scores(records["test"]))
    tracks = records["validation"].tracks
    return Scored(
        np.stack(scores["validation"]),
        tracks.targets,
        track_groups(opened.dataset, tracks.track_ids),
        np.stack(scores["test"]),
        records["test"].tracks.targets,
        opened.labels.manifest.label_set["values"],
        opened.labels.positive_at,
    )


def chosen(scored: Scored) -> Iterator[tuple[str, float, dict[str, float]]]:
    """Rule, share of the validation split, and the chosen weights' figures on the test split."""
    test = [scored.areas(scored.test_targets, scores) for scores in scored.test]
    best = max(one["pr_auc"] for one in test[:-1])
    for share in SHARES:
        groups = scored.groups.max() + 1
        seen = scored.groups < max(1, round(share * groups))
        figures = [scored.areas(scored.validation_targets[seen], scores[seen]) for scores in scored.validation]
        for rule in RULES:
            if rule == "last":
                number = len(figures) - 1
            else:
                sign = -1 if rule == "loss" else 1
                number = int(np.nanargmax([sign * one[rule] for one in figures]))
            yield rule, share, {**test[number], "below_best": best - test[number]["pr_auc"]}
    yield AVERAGE, 1.0, {**test[-1], "below_best": best - test[-1]["pr_auc"]}


def main() -> None:
    """Measure, print a table, write JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--dataset")
    arguments.add_argument("--label-set")
    arguments.add_argument("--frontend", default="spectrogram")
    arguments.add_argument("--schedules", default="plateau,cosine")
    arguments.add_argument("--steps", type=int, default=1000)
    arguments.add_argument("--every", type=int, default=50, help="steps between validations")
    arguments.add_argument("--seeds", type=int, default=2)
    given = arguments.parse_args()
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        dataset, label_set = (given.dataset, given.label_set) if given.dataset else write_corpus(Path(folder))
        print(
            f"{'schedule':<9} {'rule':<25} {'validation':>10} {'ROC-AUC':>8} {'PR-AUC':>8} {'below best':>10}",
            flush=True,
        )
        for schedule in given.schedules.split(","):
            rows: dict[tuple[str, float], list[dict[str, float]]] = {}
            for seed in range(given.seeds):
                budget = {"max_steps": given.steps, "validate_every_steps": given.every}
                config = TrainConfig(
                    dataset, label_set, given.frontend, **{**BASE, **budget, "schedule": schedule, "seed": seed}
                )
                run = str(Path(folder, f"{schedule}-{seed}"))
                for rule, share, figures in in_own_process(chosen_by_each_rule, config, run, name=run):
                    rows.setdefault((rule, share), []).append(figures)
            for (rule, share), figures in rows.items():
                means = {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}
                print(
                    f"{schedule:<9} {rule:<25} {share:>10.0%} {means['roc_auc']:8.4f} {means['pr_auc']:8.4f} "
                    f"{means['below_best']:10.4f}",
                    flush=True,
                )
                measured[f"{schedule}, {rule}, {share:g}"] = means
    write_results("choice_of_checkpoint", measured)


if __name__ == "__main__":
    main()
