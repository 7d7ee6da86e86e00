"""The contents of a run's files: its configuration, its epochs, and its evaluation on a split."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import math
from typing import Any, Literal

from schemas.console.errors import DatasetError, UserError
from schemas.console.shown_commands import training_command
from schemas.storage.files import exists, read_bytes
from schemas.storage.json_object import parse_json_object
from schemas.user_files.spreadsheet import text_of_cell
from training.config import TrainConfig
from training.runs.metrics_log import MetricsLog
from training.runs.run_folder import RunFolder

REPORTED_SPLITS = ("test", "validation")  # the first one that was evaluated is shown, unless another is requested
_CRITERIA = {
    **{"loss": ("validation_loss", -1), "roc_auc": ("validation_roc_auc", 1), "pr_auc": ("validation_pr_auc", 1)},
    "last": ("step", 1),
}


@dataclasses.dataclass(frozen=True)
class TagResult:
    """A row of the table per tag.

    Attributes:
        tag: name of the tag.
        positives: number of tracks that have the tag.
        tracks: number of tracks for which the tag is known.
        numbers: the further columns by name; NaN if a cell is empty.
    """

    tag: str
    positives: int
    tracks: int
    numbers: dict[str, float]

    def number(self, name: str) -> float:
        """The value of a further column; NaN if it is empty or missing."""
        return self.numbers.get(name, math.nan)


@dataclasses.dataclass(frozen=True)
class RunFacts:
    """A run as its files describe it.

    Attributes:
        root: the run's folder, as it was given.
        config: the run's configuration.
        environment: environment of the training: versions, processor, threads.
        epochs: lines of metrics.jsonl.
        split: split of the evaluation.
        evaluation: the fields of the evaluation's JSON; None without an evaluation.
        tags: rows of the evaluation's table per tag, in the order of the vocabulary; empty without an evaluation.
    """

    root: str
    config: TrainConfig
    environment: dict[str, Any]
    epochs: list[dict[str, Any]]
    split: str
    evaluation: dict[str, Any] | None
    tags: list[TagResult]

    @property
    def unit(self) -> Literal["epoch", "step"]:
        """What the lines of metrics.jsonl are counted in."""
        return "step" if self.config.counts_steps else "epoch"

    @property
    def best_epoch(self) -> dict[str, Any] | None:
        """The line of the best epoch or step by the run's own criterion; None before the first validation."""
        name, sign = _CRITERIA[self.config.select_by]
        best = None
        for line in self.epochs:
            if (
                "validation_loss" in line
                and is_number(line.get(name))
                and (best is None or sign * line[name] > sign * best[name])
            ):
                best = line
        return best

    @property
    def scores_uri(self) -> str:
        """The URI at which an evaluation leaves the scores of single tracks."""
        return RunFolder(self.root).evaluation(f"{self.split}_scores.parquet")


def read_facts(root: str, split: str | None = None) -> RunFacts:
    """Read a run's files.

    Args:
        root: the run's folder.
        split: split of the evaluation; None for the test split, or the validation split if there is no other.

    Raises:
        UserError: there is no such run, or the requested split has not been evaluated.
        DatasetError: a file of the run is damaged.
    """
    folder = RunFolder(root)
    config = folder.read_config()
    evaluated = [one for one in REPORTED_SPLITS if exists(folder.evaluation(f"{one}.json"))]
    if split is not None and split not in evaluated:
        raise UserError(
            f"{root}: its {split} split has not been evaluated; run "
            f"`{training_command('evaluate', '--run', root, '--split', split)}`"
        )
    split = split or (evaluated[0] if evaluated else REPORTED_SPLITS[0])
    evaluation, tags = read_evaluation(folder, split)
    epochs = MetricsLog(root).read()
    environment = _json(folder.environment, "remove it") if exists(folder.environment) else {}
    return RunFacts(root, config, environment, epochs, split, evaluation, tags)


def read_evaluation(folder: RunFolder, name: str) -> tuple[dict[str, Any] | None, list[TagResult]]:
    """The fields of an evaluation's JSON and the rows of its table per tag; None and no rows if there is none.

    Args:
        folder: the run's folder.
        name: name of the evaluation's files, without extensions.

    Raises:
        DatasetError: one of the files is damaged.
    """
    uri, table = folder.evaluation(f"{name}.json"), folder.evaluation(f"{name}_per_tag.csv")
    if not exists(uri):
        return None, []
    evaluation = _json(uri, "evaluate the run again")
    return evaluation, _tags(table, evaluation) if exists(table) else []


def is_number(value: object) -> bool:
    """True for a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _json(uri: str, advice: str) -> dict[str, Any]:
    try:
        return parse_json_object(read_bytes(uri))
    except ValueError as error:
        raise DatasetError(f"{uri}: expected a JSON object: {error}; {advice}") from error


def _tags(uri: str, evaluation: dict[str, Any]) -> list[TagResult]:
    data = read_bytes(uri)
    said = evaluation.get("per_tag_sha256")  # evaluations of earlier versions do not have it
    try:
        if said is not None and hashlib.sha256(data).hexdigest() != said:
            raise ValueError("its bytes are not those that the evaluation wrote")
        rows = csv.DictReader(io.StringIO(data.decode(), newline=""))
        return [
            TagResult(
                text_of_cell(row.pop("tag")),
                int(row.pop("positives")),
                int(row.pop("tracks")),
                {name: float(cell) if cell else math.nan for name, cell in row.items()},
            )
            for row in rows
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{uri}: not a table per tag ({error}); evaluate the run again") from error
