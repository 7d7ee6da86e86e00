"""Run a study: train and evaluate the runs that are not finished, fit the baselines, write tables and a figure."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

from schemas.console.errors import DatasetError, UserError
from schemas.console.terminal import say
from schemas.dataset import Dataset
from schemas.label_version import LabelVersion, open_labels
from schemas.sole_writer import sole_writer
from schemas.storage.checksums import with_checksum
from schemas.storage.files import join, make_folder, read_bytes, write_atomic
from schemas.storage.json_object import parse_json_object, without_format
from schemas.storage.output_folders import require_empty_or
from training.config import TrainConfig
from training.data.labels import labelled_tracks
from training.data.nested_shares import ShareTooSmall
from training.data.staging import open_stage
from training.devices.cluster import cluster_from_environment
from training.models.config import family_of
from training.study.baselines import study_baselines
from training.study.figure import write_figures
from training.study.plan import StudyPlan, StudyRun
from training.study.results import RunRow, StudyResults, read_run_row, results_csv, results_json, write_row
from training.study.training_process import train_apart

CONFIG_NAME = "study_config.json"
FORMAT = 1
# The devices that a study runs on, and the location of its dataset, may change when it resumes.
CHANGEABLE = ("strategy", "dataset")
_OF_EACH_RUN = ("frontend", "hop_length", "train_share", "seed")


def run_study(plan: StudyPlan, out: str, *, stage: str | None = None) -> StudyResults:
    """Train front-ends on growing shares, or resume a study that was stopped.

    Writes OUT/runs/NAME (an ordinary run each), OUT/results/NAME.json (a row each), and at the end OUT/study.json,
    OUT/study.csv, OUT/study.png and OUT/study.svg.

    Args:
        plan: what to train.
        out: folder of the study.
        stage: folder on a local disk that payloads are copied to before they are read; None to read them in place.

    Raises:
        UserError: dataset, label set, shares or folder do not fit, or several workers are requested.
        DatasetError: the features or labels on disk contradict each other.
    """
    strategy = plan.config.strategy
    if strategy == "multi-worker" or (strategy == "auto" and cluster_from_environment() is not None):
        raise UserError("study: expected one process, received a cluster (TF_CONFIG); give --strategy another value")
    dataset = Dataset.open(plan.config.dataset)
    labels = open_labels(dataset, plan.config.label_set)
    plan = dataclasses.replace(plan, config=dataclasses.replace(plan.config, label_set=labels.reference))
    sizes = _sizes(dataset, labels, plan)
    begun = require_empty_or(out, CONFIG_NAME, "a study")
    make_folder(out)
    with sole_writer(out, "study"):
        _begin(plan.config, out, begun)
        rows = _train_all(plan, out, sizes, stage)
        with open_stage(stage) as copies:
            baselines = study_baselines(dataset, labels, plan.shares, join(out, "results"), copies)
        test_tracks = len(labelled_tracks(dataset, labels, dataset.spec("logmel"), "test"))
        results = StudyResults(labels.reference, test_tracks, tuple(rows), tuple(baselines))
        write_atomic(join(out, "study.json"), results_json(results))
        write_atomic(join(out, "study.csv"), results_csv(results))
        write_figures(results, out)
    return results


def _sizes(dataset: Dataset, labels: LabelVersion, plan: StudyPlan) -> dict[float, int]:
    """Number of training tracks in each share; missing data or too small a share is reported before any training."""
    for frontend in plan.frontends:
        dataset.spec(family_of(frontend))
    spec = dataset.spec("logmel")  # the baselines read these features
    for split in ("validation", "test"):
        labelled_tracks(dataset, labels, spec, split)
    try:
        sizes = {share: len(labelled_tracks(dataset, labels, spec, "train", share=share)) for share in plan.shares}
    except ShareTooSmall as error:
        raise UserError(f"--shares: {error.problem}, or leave it out") from error
    if len(set(sizes.values())) < len(sizes):
        words = ", ".join(f"{share:g}: {tracks}" for share, tracks in sizes.items())
        raise UserError(
            f"--shares: expected shares of different sizes, but in whole groups they have these tracks ({words}); "
            "leave some out"
        )
    return sizes


def _begin(config: TrainConfig, out: str, begun: bool) -> None:
    """Write the configuration, or check that it is the one that the study began with."""
    now = {name: value for name, value in config.to_dict().items() if name not in _OF_EACH_RUN}
    if begun:
        before = _config_of(join(out, CONFIG_NAME))
        differences = [
            f"{name}: {before.get(name)} -> {now[name]}"
            for name in now
            if before.get(name) != now[name] and name not in CHANGEABLE
        ]
        if differences:
            raise UserError(
                f"{out}: holds a study with another configuration ({'; '.join(differences)}); resume it with its own, or "
                "choose another --out"
            )
    write_atomic(
        join(out, CONFIG_NAME),
        (json.dumps(with_checksum({"format": FORMAT, **now}), indent=2, sort_keys=True) + "\n").encode(),
    )


def _config_of(uri: str) -> dict[str, Any]:
    """Read the configuration that a study wrote."""
    try:
        return without_format(parse_json_object(read_bytes(uri), known_format=FORMAT), FORMAT, uri)
    except ValueError as error:
        raise DatasetError(
            f"{uri}: expected the configuration of a study, a JSON object: {error}; restore it from a copy, or choose "
            "another --out"
        ) from error


def _train_all(plan: StudyPlan, out: str, sizes: dict[float, int], stage: str | None) -> list[RunRow]:
    folder = join(out, "results")
    runs = plan.runs()
    rows = {run.name: row for run in runs if (row := read_run_row(folder, run.name)) is not None}
    if rows:
        say(f"study: {len(rows)} of {len(runs)} trainings are finished already", file=sys.stderr)
    for run in runs:
        if run.name in rows:
            continue
        left = [one for one in runs if one.name not in rows]
        say(
            f"study: {run.name} on {sizes[run.config.train_share]:,} tracks, training {len(rows) + 1} of {len(runs)}, "
            f"{_remaining(left, list(rows.values()))}",
            file=sys.stderr,
        )
        rows[run.name] = train_apart(run, join(out, "runs", run.name), stage)
        write_row(folder, run.name, rows[run.name])
    return [rows[run.name] for run in runs]


def _remaining(left: list[StudyRun], finished: list[RunRow]) -> str:
    """Estimate the time left: a training takes as long as the finished ones of its front-end did, or of any front-end."""
    if not finished:
        return "no estimate yet"
    mean_of_all = sum(row.seconds for row in finished) / len(finished)
    mean: dict[str, float] = {}
    for frontend in {row.frontend for row in finished}:
        own = [row.seconds for row in finished if row.frontend == frontend]
        mean[frontend] = sum(own) / len(own)
    minutes = sum(mean.get(run.config.frontend, mean_of_all) for run in left) / 60
    return f"about {minutes:.0f} min left"
