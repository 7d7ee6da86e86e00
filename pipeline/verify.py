"""Verify that a dataset is complete: every planned track is one record or one reject, and every file is the one named."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.jobs.tracks_problems import tracks_problems
from pipeline.labels.overlay_problems import label_problems, label_versions, split_problems
from pipeline.removal.remove import read_run_note, run_notes
from schemas.console.errors import DatasetError, TagscaleError
from schemas.console.report import Line, Report, heading, problem
from schemas.dataset import Dataset
from schemas.examples import decode_example
from schemas.features import FeatureSpec, LogMelSpec
from schemas.manifests import GenerationEntry, ShardManifest
from schemas.storage.files import exists, open_read, sha256_of
from schemas.tables import REMOVED
from schemas.tfrecord import read_records

_READERS = 8  # payloads read in parallel


@dataclasses.dataclass(frozen=True)
class VerifyReport:
    """Results of a verification.

    Attributes:
        problems: Problems, one line each; empty if everything reconciles.
        tracks: Number of planned tracks in all generations.
        records: Number of tracks stored.
        rejects: Number of tracks rejected.
        removed: Number of tracks removed from the dataset since.
        payloads: Number of payload files checked.
        bytes: Total size of the payloads in bytes.
        label_versions: Number of label-set versions checked.
        deep: True if every record was parsed.
        under_way: Progress of an unfinished generation, which was not checked; None if there is none.
    """

    problems: tuple[str, ...]
    tracks: int
    records: int
    rejects: int
    removed: int
    payloads: int
    bytes: int
    label_versions: int
    deep: bool
    under_way: str | None


def verify(root: str, *, deep: bool = False, on_progress: Callable[[int, int], None] | None = None) -> VerifyReport:
    """Check a dataset's files against each other.

    Plans, tracks tables, tombstones, splits, label sets, done marks and payload checksums are always checked; with `deep`
    every record is parsed and its id, position, length and shape are compared with the tracks table.

    >>> from pipeline import verify_dataset
    >>> report = verify_dataset("data", deep=True)
    >>> report.tracks, report.problems
    (36, ())

    Args:
        root: Folder of the dataset.
        deep: Parse every record.
        on_progress: Called with the number of payloads checked and the total.

    Raises:
        UserError: there is no dataset there, or its build is unfinished.
        DatasetError: its manifest is damaged, without which nothing else can be checked.
    """
    dataset = Dataset.open(root)
    problems: list[str] = []
    try:
        removed = dataset.removed()
    except DatasetError as error:
        problems.append(str(error))
        removed = REMOVED.empty_table()
    purged = frozenset(removed["track_id"].filter(removed["purged"]).to_pylist())
    held = dataset.whole_features()
    total = sum(entry.shards for _, count in held for entry in dataset.manifest.generations[:count])
    payloads = payload_bytes = 0
    for entry in dataset.manifest.generations:
        try:
            tracks = dataset.tracks_of(entry.generation)
        except DatasetError as error:
            problems.append(str(error))
            continue
        bounds = np.searchsorted(tracks["shard"].to_numpy(), np.arange(entry.shards + 1))
        problems += tracks_problems(dataset, entry, tracks, bounds)
        for spec in [spec for spec, count in held if entry.generation < count]:
            for found in _checked_payloads(dataset, spec, entry, tracks, bounds, purged if deep else None):
                if isinstance(found, str):
                    problems.append(found)
                else:
                    payload_bytes += found
                payloads += 1
                if on_progress is not None:
                    on_progress(payloads, total)
    problems += split_problems(dataset)
    problems += label_problems(dataset)
    problems += _note_problems(dataset)
    return VerifyReport(
        problems=tuple(problems),
        tracks=sum(entry.tracks for entry in dataset.manifest.generations),
        records=sum(entry.records or 0 for entry in dataset.manifest.generations),
        rejects=sum(sum((entry.rejects or {}).values()) for entry in dataset.manifest.generations),
        removed=removed.num_rows,
        payloads=payloads,
        bytes=payload_bytes,
        label_versions=len(label_versions(dataset)),
        deep=deep,
        under_way=dataset.under_way_words(),
    )


def _checked_payloads(
    dataset: Dataset,
    spec: FeatureSpec,
    entry: GenerationEntry,
    tracks: pa.Table,
    bounds: npt.NDArray[np.int64],
    purged: frozenset[str] | None,
) -> Iterator[int | str]:
    """The size or the problem of each payload of some features in a generation, in the order of the shards."""
    places = dataset.places(spec, tracks)
    named = {"track_id": tracks["track_id"], "record": tracks["record"]}
    rows = pa.table({**named, "offset": places["offset"], "length": places["length"]})

    def check(shard: int) -> int | str:
        ours = rows.slice(bounds[shard], bounds[shard + 1] - bounds[shard])
        try:
            return _check_payload(dataset, spec, entry.generation, shard, ours, purged).bytes
        except TagscaleError as error:
            return str(error)

    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        yield from readers.map(check, range(entry.shards))


def _check_payload(
    dataset: Dataset, spec: FeatureSpec, generation: int, shard: int, rows: pa.Table, purged: frozenset[str] | None
) -> ShardManifest:
    """Raise DatasetError unless a payload matches its done mark and the tracks table.

    If the ids of purged tracks are given, every record is parsed too.
    """
    uri, mark = dataset.payload(spec, generation, shard)
    part = dataset.layout.tracks_part(generation, shard)
    if exists(part) and sha256_of(part) != mark.tracks_sha256:
        raise DatasetError(f"{part}: not the tracks part that the done mark of {uri} names")
    stored = rows.filter(pc.is_valid(rows["record"]))
    if (mark.records, mark.tracks) != (stored.num_rows, rows.num_rows):
        raise DatasetError(
            f"{uri}: its done mark counts {mark.records} records of {mark.tracks} tracks, the tracks table "
            f"{stored.num_rows} of {rows.num_rows}"
        )
    if sha256_of(uri) != mark.sha256:
        raise DatasetError(f"{uri}: its bytes are not those of the done mark (the SHA-256 differs)")
    if (pc.sum(stored["length"]).as_py() or 0) != mark.bytes:
        raise DatasetError(f"{uri}: the lengths in the tracks table do not add up to its {mark.bytes} bytes")
    if purged is not None:
        _check_records(spec, uri, stored, purged)
    return mark


def _check_records(spec: FeatureSpec, uri: str, stored: pa.Table, purged: frozenset[str]) -> None:
    with open_read(uri) as file:
        count = 0
        for count, record in enumerate(read_records(file, where=uri), 1):
            if count <= stored.num_rows:
                _check_record(spec, uri, record, stored.slice(count - 1, 1).to_pylist()[0], purged)
        if count != stored.num_rows:
            raise DatasetError(f"{uri}: expected {stored.num_rows} records, found {count}")


def _check_record(
    spec: FeatureSpec, uri: str, record: tuple[int, bytes], row: dict[str, Any], purged: frozenset[str]
) -> None:
    (offset, payload), number = record, row["record"]
    track_id, values = decode_example(spec.family, payload, where=f"{uri} record {number}")
    expected = row["track_id"]
    if expected in purged:
        if track_id.strip("\0") or values.any():
            raise DatasetError(f"{uri}: record {number}: {expected!r} was purged, and its record is not blank")
        expected = track_id
    if (track_id, offset) != (expected, row["offset"]):
        raise DatasetError(
            f"{uri}: record {number} at byte {offset} is {track_id!r}, the tracks table expects {row['track_id']!r} at "
            f"byte {row['offset']}"
        )
    if isinstance(spec, LogMelSpec):
        if values.shape[1] != spec.mels:
            raise DatasetError(f"{uri}: record {number}: expected {spec.mels} mel bands, found {values.shape[1]}")
        if not np.isfinite(values).all():
            raise DatasetError(f"{uri}: record {number} ({track_id}): holds values that are not finite")


def _note_problems(dataset: Dataset) -> Iterator[str]:
    """Problems with the notes of training runs; other files in runs/ may be lost, since nothing relies on them."""
    for uri in run_notes(dataset.layout):
        try:
            read_run_note(uri)
        except DatasetError as error:
            yield str(error)


def verification_report(found: VerifyReport, root: str) -> Report:
    """Counts, and each problem.

    Args:
        found: by `verify`.
        root: folder of the dataset.
    """
    return Report.of(_parts(found, root))


def _parts(found: VerifyReport, root: str) -> Iterator[Line]:
    yield heading(
        f"{root}: {found.tracks:,} tracks = {found.records:,} records + {found.rejects:,} rejects"
        f"{f', {found.removed:,} of them removed' if found.removed else ''}; "
        f"{found.payloads:,} payloads, {found.bytes / 1e6:,.1f} MB{', every record parsed' * found.deep}; "
        f"{found.label_versions} label versions"
    )
    if found.under_way is not None:
        yield Line(f"  {found.under_way}, and was not looked at")
    yield from map(problem, found.problems)
    if not found.problems:
        yield Line("everything reconciles")
