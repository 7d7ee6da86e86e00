"""The files of a run: config.json, metrics.jsonl, checkpoints/, evaluation/."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator
from typing import Any

from schemas.console.errors import DatasetError, UserError
from schemas.console.shown_commands import training_command
from schemas.console.terminal import say
from schemas.dataset import Dataset
from schemas.features import FINGERPRINT_LENGTH
from schemas.sole_writer import sole_writer
from schemas.storage.checksums import with_checksum
from schemas.storage.files import absolute, exists, join, make_folder, read_bytes, write_atomic
from schemas.storage.json_object import parse_json_object, without_format
from schemas.storage.output_folders import require_empty_or
from training.config import FORMAT, TrainConfig
from training.config_combinations import FieldError
from training.runs.checkpoints import Checkpoints
from training.runs.imported import is_imported
from training.runs.metrics_log import METRICS_NAME, MetricsLog
from training.runs.undefined_numbers import without_nan

CONFIG_NAME = "config.json"

# Fields that a resumed run may change: how long it trains, what it runs on, and where the dataset and the run that it
# started from are now.
LENGTH = ("epochs", "max_steps")
CHANGEABLE = (*LENGTH, "strategy", "dataset", "init_from", "checkpoint_minutes", "keep_checkpoints")


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Paths of one run.

    Attributes:
        root: the folder, local or a URI.
    """

    root: str

    @property
    def config(self) -> str:
        return join(self.root, CONFIG_NAME)

    @property
    def metrics(self) -> str:
        return join(self.root, METRICS_NAME)

    def checkpoints(self, kept: int = 2) -> Checkpoints:
        """The run's checkpoints, of which the newest `kept` stay besides the best."""
        return Checkpoints(join(self.root, "checkpoints"), kept)

    @property
    def environment(self) -> str:
        return join(self.root, "environment.json")

    @property
    def report(self) -> str:
        return join(self.root, "report.html")

    @property
    def tensorboard(self) -> str:
        return join(self.root, "tensorboard")

    def evaluation(self, name: str) -> str:
        return join(self.root, "evaluation", name)

    def read_config(self) -> TrainConfig:
        """The run's resolved configuration; raises UserError if there is no run."""
        if not exists(self.config):
            raise UserError(
                f"{self.root}: expected a run, found no {CONFIG_NAME}; make one with `{training_command('train')}`"
            )
        advice = "restore it from a copy, or train the run again in another folder"
        try:
            fields = parse_json_object(read_bytes(self.config), known_format=FORMAT)
            fields = without_format(fields, FORMAT, self.config, is_optional=True)
        except ValueError as error:
            raise DatasetError(
                f"{self.config}: expected the configuration of a run, a JSON object: {error}; {advice}"
            ) from error
        known = [field.name for field in dataclasses.fields(TrainConfig)]
        for name in fields:
            if name not in known:
                raise UserError(
                    f"{self.config}: unknown field {name!r}; use the tagscale that wrote it, or remove the field"
                )
        try:
            return TrainConfig(**fields)
        except FieldError as error:
            raise UserError(f"{self.config}: {error}; correct the field") from error
        except TypeError as error:
            raise UserError(f"{self.config}: expected every field that has no default: {error}; {advice}") from error

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, and lock it against other commands that would train in it.

        Raises:
            UserError: the folder holds something else or cannot be written in, or another command trains in it.
        """
        require_empty_or(self.root, CONFIG_NAME, "a run")
        try:
            make_folder(self.root)
        except OSError as error:
            raise UserError(f"--out {self.root}: cannot be made: {error.strerror or error}; choose another") from error
        with sole_writer(self.root, "run"):
            yield

    @property
    def has_begun(self) -> bool:
        """Whether there is a checkpoint, which binds the run to its configuration."""
        return exists(self.config) and self.checkpoints().any()

    def begin(self, config: TrainConfig) -> None:
        """Write the resolved configuration into a folder that is held, or check that it is the one that the run began with.

        A run that has no checkpoint yet, for example because its batches did not fit the replicas, may begin with another.

        Raises:
            UserError: the run has another configuration.
        """
        if is_imported(self.root):
            raise UserError(
                f"{self.root}: holds imported weights, which cannot be trained further in place; train from them with "
                f"--init-from {self.root} and another --out"
            )
        if self.has_begun:
            before, now = self.read_config().to_dict(), config.to_dict()
            differences = [
                f"{name}: {before[name]} -> {now[name]}"
                for name in now
                if before[name] != now[name]
                and (name not in CHANGEABLE or (name in LENGTH and config.schedule == "cosine"))
            ]
            if differences:
                ways = _relabelled(before["label_set"], now["label_set"], self.root)
                own = f"{ways}resume it with its own (--config {self.config})"
                raise UserError(
                    f"{self.root}: holds a run with another configuration ({'; '.join(differences)}); {own}, or choose "
                    "another --out"
                )
        write_atomic(self.config, _json(with_checksum({"format": FORMAT, **config.to_dict()})))

    def keep_metrics(self, epochs: int, step: int | None = None) -> None:
        """Remove the lines after a position; see `MetricsLog.keep`."""
        MetricsLog(self.root).keep(epochs, step)

    def add_metrics(self, fields: dict[str, Any]) -> None:
        """Append a line; undefined values are null."""
        MetricsLog(self.root).add(without_nan(fields))

    def write_json(self, uri: str, fields: dict[str, Any], *, checked: bool = True) -> None:
        """Write a file of the run; `checked` adds a checksum, for files that commands read again."""
        write_atomic(uri, _json(with_checksum(fields) if checked else fields))


def _relabelled(before: str, now: str, root: str) -> str:
    """The two ways to continue a run whose label set has a new version by now; empty if it has not."""
    if before == now or before.partition("@")[0] != now.partition("@")[0]:
        return ""
    return (
        f"its labels have changed since: --label-set {before} resumes with the old ones, --init-from {root} --out NEW starts a "
        "new run on the new ones from its weights; or "
    )


def register_run(dataset: Dataset, root: str, config: TrainConfig) -> None:
    """Record in the dataset that this run was trained on it, so that a removal can list the runs that held a track.

    If the dataset cannot be written, training continues with a warning.
    """
    path = absolute(root)
    name = f"train-{hashlib.sha256(path.encode()).hexdigest()[:FINGERPRINT_LENGTH]}"
    fields = {"run": path, "label_set": config.label_set, "frontend": config.frontend}
    try:
        write_atomic(dataset.layout.run_summary(name), _json(with_checksum(fields)))
    except Exception as error:  # each store has errors of its own
        words = f"{dataset.layout.root}: cannot be written, so it will not list this run: {error}"
        say(words, file=sys.stderr, level="warning")


def _json(fields: dict[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2, sort_keys=True) + "\n").encode()
