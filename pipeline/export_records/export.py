"""Export a label version as self-contained TFRecords. The command calls `export_records`."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.export_records.plan import EXPORT_PLAN, export_plan, exported_specs
from pipeline.export_records.shards import PLAN_NAME, ExportJob
from pipeline.jobs.beam_options import check_beam_options
from pipeline.jobs.runner import run_with_progress
from pipeline.jobs.shard_job import mark_name, unfinished_shards
from pipeline.jobs.writable_folder import writable_folder
from schemas.console.errors import DatasetError, UserError
from schemas.dataset import Dataset
from schemas.examples import EXAMPLE_DTYPES, EXAMPLE_KEYS
from schemas.features import FeatureSpec, LogMelSpec, features_name
from schemas.label_version import LabelVersion, open_labels
from schemas.layout import shard_name
from schemas.manifests import to_json
from schemas.plan_file import PlanReader, plan_bytes
from schemas.sole_writer import sole_writer
from schemas.storage.files import exists, join, read_bytes, remove_temporaries, size, write_atomic
from schemas.storage.json_object import parse_json_object
from schemas.storage.output_folders import require_empty_or
from schemas.tables import SPLITS

SUMMARY_NAME = "records.json"
_READERS = 8  # done marks read in parallel
_COUNTED = {"records", "bytes", "sha256"}  # fields for each file in a done mark


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """Options of an export.

    Attributes:
        features: Families or names of features; empty for all with which the dataset was built.
        workers: Number of local worker processes; None for one per core.
        beam_options: Options for Beam; without --runner the job runs on this machine.
        detach: Leave the job to an engine instead of waiting for it.
    """

    features: Sequence[str] = ()
    workers: int | None = None
    beam_options: Sequence[str] = ()
    detach: bool = False

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise UserError(f"--workers: expected at least 1, received {self.workers}")


@dataclasses.dataclass(frozen=True)
class ExportSummary:
    """Contents of an export.

    Attributes:
        out: Folder of the export.
        label_set: Label version as NAME@HASH.
        features: Names of the features in it.
        existed: True if it was already complete.
        records: Number of records per side of the split.
        files: Number of files.
        bytes: Total size of the files in bytes.
        removed: Number of labelled tracks left out because they were removed from the dataset.
        unlabelled: Number of tracks of the dataset that the label version does not hold.
    """

    out: str
    label_set: str
    features: tuple[str, ...]
    existed: bool
    records: dict[str, int]
    files: int
    bytes: int
    removed: int
    unlabelled: int


def export_records(root: str, label_set: str, out: str, options: ExportOptions) -> ExportSummary:
    """Write features, labels and split of every labelled track as TFRecords; the same call again resumes.

    Args:
        root: Folder of the dataset.
        label_set: NAME or NAME@HASH.
        out: A new folder, or one in which the same export was begun.
        options: Options of the export.

    Raises:
        UserError: there is no such dataset, label set or features, or `out` holds other files.
        DatasetError: a payload is damaged, or the counts do not reconcile.
        TagscaleError: the Beam job failed; finished shards are kept.
    """
    check_beam_options(options.beam_options, detach=options.detach)
    dataset = Dataset.open(root)
    labels = open_labels(dataset, label_set)
    specs = exported_specs(dataset, options.features)
    plan, removed = export_plan(dataset, labels, specs)
    out = out.rstrip("/") or "/"
    with writable_folder(out), sole_writer(out, "export"):
        return _export(dataset, labels, specs, plan, removed, out, options)


def _export(
    dataset: Dataset,
    labels: LabelVersion,
    specs: Sequence[FeatureSpec],
    plan: pa.Table,
    removed: int,
    out: str,
    options: ExportOptions,
) -> ExportSummary:
    _begin(out, plan, _meaning(labels, specs))
    job = ExportJob(dataset.layout.root, out)
    shards = plan["shard"][-1].as_py() + 1
    missing = unfinished_shards(job, shards)
    run_with_progress(job, shards, "export", options)
    expected = {side: pc.sum(pc.equal(plan["split"], side)).as_py() or 0 for side in SPLITS}
    files = _files(job, shards)
    records = {
        side: sum(counts["records"] for name, counts in files.items() if name.startswith(f"{side}/")) for side in SPLITS
    }
    if records != expected:
        raise DatasetError(f"{out}: expected {expected} records, its done marks name {records}; choose another folder")
    kept = dataset.newest_tracks([])
    kept = kept.filter(pc.is_valid(kept["record"])).num_rows
    vocabulary = "".join(f"{tag}\n" for tag in labels.vocabulary).encode()
    description = {
        "format": 1,
        "label_set": labels.reference,
        "features": {features_name(spec): spec.to_dict() for spec in specs},
        "fields": _field_types(labels, specs),
        "records": records,
        "files": files,
        "vocabulary_sha256": hashlib.sha256(vocabulary).hexdigest(),
        "tracks_removed": removed,
        "tracks_without_labels": kept - plan.num_rows,
    }
    existed = not missing and exists(join(out, SUMMARY_NAME))
    write_atomic(join(out, "vocabulary.txt"), vocabulary)
    write_atomic(join(out, SUMMARY_NAME), to_json(description))
    for folder in (out, *job.mark_folders, *(join(out, side) for side in SPLITS)):
        remove_temporaries(folder)
    return ExportSummary(
        out=out,
        label_set=labels.reference,
        features=tuple(description["features"]),
        existed=existed,
        records=records,
        files=len(files),
        bytes=sum(counts["bytes"] for counts in files.values()),
        removed=removed,
        unlabelled=kept - plan.num_rows,
    )


def _meaning(labels: LabelVersion, specs: Sequence[FeatureSpec]) -> dict[str, Any]:
    """The parameters that workers need in addition to the rows."""
    return {
        "label_set": labels.reference,
        "vocabulary": list(labels.vocabulary),
        **{name: labels.manifest.label_set[name] for name in ("missing", "positive_at")},
        "features": [features_name(spec) for spec in specs],
    }


def _begin(out: str, plan: pa.Table, meaning: dict[str, Any]) -> None:
    """Write the plan, or check that the folder holds exactly the same one."""
    uri = join(out, PLAN_NAME)
    if not require_empty_or(out, PLAN_NAME, "an export"):
        write_atomic(uri, plan_bytes(plan, meaning, EXPORT_PLAN))
    elif not _is_planned(PlanReader(uri), plan, meaning):
        raise UserError(
            f"{out}: holds an export of other labels, features or tracks (some may have been removed or decoded again since); "
            "choose another folder"
        )


def _is_planned(found: PlanReader, plan: pa.Table, meaning: dict[str, Any]) -> bool:
    """True if a plan on disk equals this one; raises DatasetError if it is damaged."""
    if found.metadata != meaning or found.tracks != plan.num_rows:
        return False
    rows = pa.concat_tables(found.shard(number) for number in range(found.shards))
    return bool(rows.equals(plan))


def _files(job: ExportJob, shards: int) -> dict[str, dict[str, Any]]:
    """Path below the export -> records, bytes and SHA-256 of every file, from the done marks.

    Raises:
        DatasetError: a file is missing or its size differs from its done mark, or a done mark is damaged.
    """

    def mark(shard: int) -> dict[str, Any]:
        uri = join(job.mark_folders[0], mark_name(shard))
        try:
            sides = parse_json_object(read_bytes(uri))
            if any(not isinstance(counts, dict) or set(counts) != _COUNTED for counts in sides.values()):
                raise ValueError(f"expected {', '.join(sorted(_COUNTED))} of each side")
        except ValueError as error:
            raise DatasetError(
                f"{uri}: expected a done mark, a JSON object: {error}; remove it, and the same command writes the shard again"
            ) from error
        counted = {f"{split}/{shard_name(shard)}.tfrecord": counts for split, counts in sides.items()}
        for name, counts in counted.items():
            file = join(job.out, name)
            if not exists(file) or size(file) != counts["bytes"]:
                raise DatasetError(
                    f"{file}: expected {counts['bytes']} bytes, as {uri} says; it was cut or removed: remove {uri} too, and "
                    "the same command writes both again"
                )
        return counted

    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        found = {name: counts for marks in readers.map(mark, range(shards)) for name, counts in marks.items()}
    return dict(sorted(found.items()))


def _field_types(labels: LabelVersion, specs: Sequence[FeatureSpec]) -> dict[str, dict[str, Any]]:
    """Fields of an Example: the type of its list, and the type and shape of values in bytes."""
    tags = len(labels.vocabulary)
    fields: dict[str, dict[str, Any]] = {
        "track_id": {"list": "bytes", "shape": []},
        "split": {"list": "bytes", "shape": []},
        "tags": {"list": "bytes", "shape": ["positive tags"]},
        "labels": {"list": "float32", "shape": [tags]},
        "labels_known": {"list": "int64", "shape": [tags]},
    }
    for spec in specs:
        value_key, length_key = EXAMPLE_KEYS[spec.family]
        shape: list[str | int] = [length_key, spec.mels] if isinstance(spec, LogMelSpec) else [length_key]
        fields[value_key] = {"list": "bytes", "holds": EXAMPLE_DTYPES[spec.family].name, "shape": shape}
        fields[length_key] = {"list": "int64", "shape": []}
    return fields
