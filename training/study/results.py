"""The results of a study: a row per training and per baseline, the gap between front-ends, study.json, study.csv."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from scipy import stats

from schemas.console.errors import DatasetError
from schemas.storage.checksums import with_checksum
from schemas.storage.files import exists, join, read_bytes, write_atomic
from schemas.storage.json_object import parse_json_object
from schemas.user_files.spreadsheet import text_cell
from schemas.validation import from_fields
from training.runs.undefined_numbers import without_nan

CONFIDENCE = 0.95
Measure = Literal["roc_auc", "pr_auc"]
MEASURES: tuple[Measure, ...] = ("roc_auc", "pr_auc")
MEASURE_NAMES: dict[Measure, str] = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC"}


@dataclasses.dataclass(frozen=True)
class RunRow:
    """One training, evaluated on the test split.

    Attributes:
        frontend: spectrogram or waveform.
        share: share of the training split.
        tracks: number of tracks it was trained on.
        seed: seed of the training.
        roc_auc: macro ROC-AUC, NaN if no tag is defined.
        pr_auc: macro PR-AUC, NaN if no tag is defined.
        epochs: number of passes over its share; a fraction if it ended in the middle of one.
        best_epoch: epoch that was evaluated, likewise.
        steps: total number of batches.
        seconds: time of training and validation.
    """

    frontend: str
    share: float
    tracks: int
    seed: int
    roc_auc: float
    pr_auc: float
    epochs: int | float
    best_epoch: int | float
    steps: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class BaselineRow:
    """One baseline, fitted on a share and evaluated on the test split.

    Attributes:
        baseline: logistic or trees.
        share: share of the training split.
        tracks: number of tracks in the share.
        fitted_tracks: number of tracks it was fitted on.
        roc_auc: macro ROC-AUC, NaN if no tag is defined.
        pr_auc: macro PR-AUC, NaN if no tag is defined.
        seconds: time of reading, fitting and scoring.
    """

    baseline: str
    share: float
    tracks: int
    fitted_tracks: int
    roc_auc: float
    pr_auc: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class Gap:
    """Spectrogram minus waveform at one size.

    Attributes:
        mean: mean over the seeds that both have.
        interval: 95 % t interval over seeds, paired by seed; None if there is only one seed.
        seeds: number of these seeds.
    """

    mean: float
    interval: tuple[float, float] | None
    seeds: int


@dataclasses.dataclass(frozen=True)
class StudyResults:
    """All rows of a study.

    Attributes:
        label_set: NAME@HASH.
        test_tracks: number of evaluated tracks.
        runs: rows of the trainings, in the order of the plan.
        baselines: rows of the baselines, by share.
    """

    label_set: str
    test_tracks: int
    runs: tuple[RunRow, ...]
    baselines: tuple[BaselineRow, ...]

    @property
    def sizes(self) -> dict[float, int]:
        """Share -> number of training tracks, ascending."""
        return dict(sorted({row.share: row.tracks for row in self.runs}.items()))

    @property
    def frontends(self) -> list[str]:
        return list(dict.fromkeys(row.frontend for row in self.runs))

    def values(self, frontend: str, share: float, measure: Measure) -> dict[int, float]:
        """Seed -> value."""
        rows = (row for row in self.runs if (row.frontend, row.share) == (frontend, share))
        return {row.seed: getattr(row, measure) for row in rows}

    def gap(self, share: float, measure: Measure) -> Gap | None:
        """Spectrogram minus waveform; None if the study does not have both."""
        first, second = (self.values(frontend, share, measure) for frontend in ("spectrogram", "waveform"))
        differences = np.array([first[seed] - second[seed] for seed in sorted(first) if seed in second])
        if len(differences) == 0:
            return None
        mean = float(differences.mean())
        if len(differences) == 1:
            return Gap(mean, None, 1)
        error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
        reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1)) * error
        return Gap(mean, (mean - reach, mean + reach), len(differences))


Row = TypeVar("Row", RunRow, BaselineRow)


def write_row(folder: str, name: str, row: RunRow | BaselineRow) -> None:
    """Write a row as soon as it is known, which makes a study resumable."""
    write_atomic(join(folder, f"{name}.json"), _json(with_checksum(without_nan(dataclasses.asdict(row)))))


def read_run_row(folder: str, name: str) -> RunRow | None:
    """The row of a finished training; None if it is not finished. Raises DatasetError if the file was cut."""
    return _read(RunRow, folder, name, "is trained")


def read_baseline_row(folder: str, name: str) -> BaselineRow | None:
    """The row of a fitted baseline; None if it is not fitted. Raises DatasetError if the file was cut."""
    return _read(BaselineRow, folder, name, "is fitted")


def results_json(results: StudyResults) -> bytes:
    """study.json."""
    sizes = [
        {
            "share": share,
            "tracks": tracks,
            **{
                frontend: {measure: _spread(results.values(frontend, share, measure)) for measure in MEASURES}
                for frontend in results.frontends
            },
            "gap": {measure: _gap(results.gap(share, measure)) for measure in MEASURES},
        }
        for share, tracks in results.sizes.items()
    ]
    return _json(
        {
            "format": 1,
            "label_set": results.label_set,
            "split": "test",
            "test_tracks": results.test_tracks,
            "runs": [dataclasses.asdict(row) for row in results.runs],
            "baselines": [dataclasses.asdict(row) for row in results.baselines],
            "sizes": sizes,
        }
    )


def results_csv(results: StudyResults) -> bytes:
    """study.csv: a row per training."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(RunRow)])
    for row in results.runs:
        writer.writerow(map(_cell, dataclasses.astuple(row)))
    return text.getvalue().encode()


def _cell(value: str | float) -> str | float:
    if isinstance(value, str):
        return text_cell(value)
    return "" if math.isnan(value) else value


def _spread(values: dict[int, float]) -> dict[str, Any]:
    numbers: Sequence[float] = list(values.values())
    deviation = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else None
    return {"mean": float(np.mean(numbers)) if numbers else None, "deviation": deviation, "seeds": len(numbers)}


def _gap(gap: Gap | None) -> dict[str, Any] | None:
    return None if gap is None else dataclasses.asdict(gap)


def _read(kind: type[Row], folder: str, name: str, made: str) -> Row | None:
    uri = join(folder, f"{name}.json")
    if not exists(uri):
        return None
    try:
        fields = parse_json_object(read_bytes(uri))
        values: dict[str, Any] = {key: math.nan if value is None else value for key, value in fields.items()}
        return from_fields(kind, values)
    except ValueError as error:
        raise DatasetError(
            f"{uri}: expected the row of {name}: {error}; remove the file, and {name} {made} and evaluated again"
        ) from error


def _json(fields: dict[str, Any]) -> bytes:
    return (json.dumps(without_nan(fields), indent=2, sort_keys=True) + "\n").encode()
