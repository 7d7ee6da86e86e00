"""The result of comparing two runs, its JSON, and the rule by which it lets a release pass."""

from __future__ import annotations

import dataclasses
import math
import os
from typing import Any, Literal

from schemas.console.errors import UserError
from schemas.label_version import LabelVersion
from schemas.storage.files import is_remote, local_path
from training.metrics.intervals import Replicated, Support, difference_interval
from training.runs.run_folder import RunFolder
from training.runs.undefined_numbers import without_nan

Metric = Literal["pr_auc", "roc_auc"]
_CHECKPOINT_DIGITS = 12  # of the first run's checkpoint in the file name, since two runs may have the same folder name


@dataclasses.dataclass(frozen=True)
class Difference:
    """A figure of two runs; NaN if it is not defined.

    Attributes:
        a: the figure of the first run.
        b: the figure of the second run.
        value: b - a.
        interval: lower and upper end of the interval of the difference; NaN if too few groups contribute to it.
        p: two-sided p-value of no difference; NaN if too few groups contribute to it.
    """

    a: float
    b: float
    value: float
    interval: tuple[float, float]
    p: float


@dataclasses.dataclass(frozen=True)
class TagComparison:
    """One tag, with its `positives` among the `tracks` for which it is known."""

    tag: str
    positives: int
    tracks: int
    roc_auc: Difference
    pr_auc: Difference


@dataclasses.dataclass(frozen=True)
class RunTracks:
    """A run, and which tracks and tags of the split it cannot be judged by.

    Attributes:
        folder: the run's files.
        checkpoint: SHA-256 of the variables that produced the scores.
        trained_on: NAME@HASH of its labels.
        absent: number of tracks that its dataset does not hold.
        removed: number of tracks that were removed from its dataset.
        seen: number of tracks that it was trained or chosen by.
        unknown: tags of the labels that the model does not have.
    """

    folder: RunFolder
    checkpoint: str
    trained_on: str
    absent: int
    removed: int
    seen: int
    unknown: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        run_a: the first run.
        run_b: the second.
        split: split that both were scored on.
        labels: labels that both were evaluated against.
        split_tracks: number of tracks of the split in these labels.
        tracks: number of tracks that both were judged by.
        groups: number of their groups, which are left out as a whole.
        tags: tags that both have, in the order of the vocabulary.
        per_tag: comparison of each tag, in that order.
        macro: differences of `roc_auc` and `pr_auc` in the mean over the defined tags.
        name: name of the second run's evaluation on these labels.
    """

    run_a: RunTracks
    run_b: RunTracks
    split: str
    labels: LabelVersion
    split_tracks: int
    tracks: int
    groups: int
    tags: tuple[str, ...]
    per_tag: tuple[TagComparison, ...]
    macro: dict[str, Difference]
    name: str

    @property
    def undefined(self) -> tuple[str, ...]:
        """Tags without a positive or without a negative among the tracks."""
        return tuple(one.tag for one in self.per_tag if math.isnan(one.roc_auc.a))

    @property
    def is_defined(self) -> bool:
        """Whether any tag has a positive and a negative."""
        return len(self.undefined) < len(self.per_tag)

    @property
    def uri(self) -> str:
        """Where the comparison is written, in the second run's folder."""
        root = self.run_a.folder.root
        name = os.path.basename(root.rstrip("/") if is_remote(root) else os.path.abspath(local_path(root)))
        return self.run_b.folder.evaluation(
            f"compare-{name}-{self.run_a.checkpoint[:_CHECKPOINT_DIGITS]}-{self.name}.json"
        )

    def ranked(self, metric: Metric) -> list[TagComparison]:
        """The defined tags, starting with the one that gained most."""
        defined = [one for one in self.per_tag if not math.isnan(one.roc_auc.a)]
        return sorted(defined, key=lambda one: (-getattr(one, metric).value, one.tag))


@dataclasses.dataclass(frozen=True)
class Gate:
    """Whether a release may pass: only if the interval rules out that the second run is worse by more than `limit`.

    Attributes:
        metric: metric whose mean over tags decides.
        limit: the largest regression that may pass.
        lower: lower end of the interval of the difference; NaN if there is no interval, in which case nothing passes.
        upper: upper end of the interval.
    """

    metric: Metric
    limit: float
    lower: float
    upper: float

    @property
    def passed(self) -> bool:
        return self.lower >= -self.limit

    @property
    def is_judged(self) -> bool:
        """Whether there is an interval to judge the difference by."""
        return not math.isnan(self.lower)

    @property
    def is_proven(self) -> bool:
        """Whether even the upper end is a regression beyond the limit; otherwise there may be too few tracks to tell."""
        return self.upper < -self.limit


def gate_of(comparison: Comparison, metric: Metric, limit: float) -> Gate:
    """Judge a comparison; raises UserError if the limit is not between 0 and 1."""
    if not 0 <= limit <= 1:
        raise UserError(f"--max-regression: expected 0 to 1, received {limit:g}")
    lower, upper = comparison.macro[metric].interval
    return Gate(metric, limit, lower, upper)


def difference_of(a: float, b: float, replicates: Replicated, support: Support) -> Difference:
    """The difference of a figure, with the interval and p-value from its replicates, [parts]."""
    ends, p = difference_interval(b - a, replicates, support)
    return Difference(a, b, b - a, ends, p)


def comparison_json(result: Comparison, gate: Gate | None) -> dict[str, Any]:
    """The fields of the comparison's file; undefined values are null."""
    fields = {
        "format": 1,
        "run_a": _run(result.run_a),
        "run_b": _run(result.run_b),
        "split": result.split,
        "label_set": result.labels.reference,
        "split_tracks": result.split_tracks,
        "tracks": result.tracks,
        "groups": result.groups,
        "tags": len(result.tags),
        "tags_undefined": list(result.undefined),
        "macro": {name: _fields(one) for name, one in result.macro.items()},
        "per_tag": [
            {
                "tag": one.tag,
                "positives": one.positives,
                "tracks": one.tracks,
                "roc_auc": _fields(one.roc_auc),
                "pr_auc": _fields(one.pr_auc),
            }
            for one in result.per_tag
        ],
        "gate": None
        if gate is None
        else {"metric": gate.metric, "max_regression": gate.limit, "passed": gate.passed, "proven": gate.is_proven},
    }
    defined: dict[str, Any] = without_nan(fields)
    return defined


def _run(run: RunTracks) -> dict[str, Any]:
    return {
        "run": run.folder.root,
        "checkpoint": run.checkpoint,
        "trained_on": run.trained_on,
        "tracks_not_in_its_dataset": run.absent,
        "tracks_removed": run.removed,
        "tracks_seen_in_training": run.seen,
        "tags_unknown": list(run.unknown),
    }


def _fields(one: Difference) -> dict[str, Any]:
    return {"a": one.a, "b": one.b, "difference": one.value, "interval": one.interval, "p": one.p}
