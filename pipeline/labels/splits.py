"""Splits: assign tracks to training, validation or test, in separate tables over the same features."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.labels.annotations import Annotations
from pipeline.labels.group_sets import GroupSets, group_sets
from pipeline.labels.split_assignment import assigned_sides, divided_groups, straddling_sets
from pipeline.labels.split_method import SplitMethod
from schemas.console.errors import DatasetError, UserError
from schemas.console.shown_commands import pipeline_command
from schemas.dataset import Dataset
from schemas.features import FINGERPRINT_LENGTH, canonical_json
from schemas.json_log import log_bytes, read_log
from schemas.names import check_name
from schemas.sole_writer import changing
from schemas.storage.files import exists, list_names, write_atomic
from schemas.storage.stored_tables import read_stored_table, table_bytes
from schemas.tables import SPLIT, SPLITS

DEFAULT_SPLIT = "default"

# Advice for a damaged split, which cannot be made again, since tracks keep their sides.
_ADVICE = "restore it from a copy, or make a split of another name"

_HASHED_AT_ONCE = 1 << 16  # tracks


@dataclasses.dataclass(frozen=True)
class Split:
    """A version of a split.

    Attributes:
        name: Name of the split.
        version: Hash over the assignments.
        table: Assignments, schema SPLIT, ordered by track_id.
        counts: Number of tracks per side, and `none` for tracks without a side.
        method: Method of the split.
        generations: The dataset's generations at that time, see `Dataset.identity`.
        undivided: True if all tracks belong to one artist or share one audio, so that no split by hash separates them.
        straddling: Number of sets of tracks with the same audio that lie on several sides, and two ids of the first.
        groups_apart: Number of groups that lie on several sides, as in some published splits, and the first.
    """

    name: str
    version: str
    table: pa.Table
    counts: dict[str, int]
    method: SplitMethod
    generations: tuple[str, ...]
    undivided: bool
    straddling: tuple[int, tuple[str, ...]]
    groups_apart: tuple[int, tuple[str, ...]]


def make_split(
    dataset: Dataset, name: str, method: SplitMethod | None, annotations: Annotations | None = None
) -> Split:
    """Make a split, or extend one to tracks added since; tracks keep their sides.

    Args:
        dataset: The dataset.
        name: Name of the split.
        method: Method of the split; None for that of the existing split, or for a new one the catalog's split column if it
            has any value, and otherwise 80,10,10 by hash.
        annotations: Annotations for a stratified split, which needs them once.

    Raises:
        UserError: the name is not folder-safe, the split was made differently before, or there are fewer groups than sides.
    """
    check_name(name, "split name")
    with changing(dataset.layout):  # the dataset is read again, since a generation may have been finished meanwhile
        return _make_split(Dataset.begun(dataset.layout.root), name, method, annotations)


def _make_split(dataset: Dataset, name: str, method: SplitMethod | None, annotations: Annotations | None) -> Split:
    tracks = dataset.newest_tracks(["group", "split", "flags", "pcm_sha256"])
    tracks = tracks.filter(pc.is_valid(tracks["record"]))
    log = split_log(dataset, name) if exists(dataset.layout.split_log(name)) else []
    asked = method is not None
    if log:
        made = SplitMethod.from_dict(log[-1]["made"])
        if method is not None and method != made:
            raise UserError(
                f"split {name}: was made as {json.dumps(made.to_dict())}; tracks never change sides in it: choose "
                "another name"
            )
        method = made
    elif method is None:
        method = SplitMethod(ratios=None) if tracks["split"].null_count < tracks.num_rows else SplitMethod()
    before = read_split(dataset, name, log[-1]["version"]) if log else None
    sets = None if method.ratios is None else group_sets(tracks, method.salt)
    # One artist cannot be divided: that is refused if a split was asked for, but does not stop a trial of labels.
    undivided = sets is not None and sets.count == 1
    if method.ratios is not None and sets is not None and before is None and (asked or not undivided):
        _require_groups(sets, method.ratios, name, dataset.layout.root)
    table = assigned_sides(tracks, method, name, before, sets, annotations)
    version = split_version(table)
    if not log and {f"{version}.parquet", *list_names(dataset.layout.splits(name))} != {f"{version}.parquet"}:
        raise _lost_log(dataset, name)
    if before is None or log[-1]["version"] != version:
        write_atomic(dataset.layout.split(name, version), table_bytes(table))
        log.append({"version": version, "made": method.to_dict(), "tracks": table.num_rows})
        write_atomic(dataset.layout.split_log(name), log_bytes(log))
    counts = {side: pc.sum(pc.equal(table["split"], side)).as_py() or 0 for side in SPLITS}
    counts["none"] = tracks.num_rows - table.num_rows
    straddling, apart = straddling_sets(tracks, table), divided_groups(tracks, table)
    return Split(name, version, table, counts, method, dataset.identity(), undivided, straddling, apart)


def existing_split(dataset: Dataset, name: str) -> Split:
    """An existing split, extended to tracks added since; raises UserError if there is none."""
    if not list_names(dataset.layout.splits(name)):
        found = list_names(dataset.layout.splits("").rstrip("/"))
        raise UserError(
            f"split {name!r}: not in {dataset.layout.root} ({'there are ' + ', '.join(found) if found else 'there is none'});"
            f" make it with `{pipeline_command('split', '--dataset', dataset.layout.root, '--name', name)}`"
        )
    return make_split(dataset, name, None)


def require_filled(dataset: Dataset, split: Split) -> None:
    """Raise UserError if a side of a split is empty although it has a share.

    A side without a share is empty on purpose, and so is one that a published split lacks. With one artist no split has all
    sides: labels may be tried on it, and `train` reports what it lacks.
    """
    if split.undivided:
        return
    ratios = split.method.ratios or (0.0,) * len(SPLITS)
    empty = [side for side, share in zip(SPLITS, ratios, strict=True) if share > 0 and not split.counts[side]]
    if empty:
        root, taken = dataset.layout.root, list_names(dataset.layout.splits("").rstrip("/"))
        name = next(name for number in itertools.count(2) if (name := f"{split.name}-{number}") not in taken)
        shares = ",".join(f"{share:g}" for share in ratios)
        command = pipeline_command("split", "--dataset", root, "--name", name, "--ratios", shares)
        raise UserError(
            f"split {split.name}@{split.version} of {root}: has no {' and no '.join(empty)} track; tracks never change sides "
            f"in it: make another with `{command}`, and lay the label set over it with --split {name}"
        )


def _require_groups(sets: GroupSets, ratios: tuple[float, float, float], name: str, root: str) -> None:
    """Raise UserError if there are fewer sets of groups than sides with a share."""
    wanted = [side for side, share in zip(SPLITS, ratios, strict=True) if share > 0]
    groups = len(sets.position)
    if sets.count < len(wanted):
        found = f"{groups} that share audio and stay together" if sets.count < groups else str(groups)
        fewer = "80,20,0" if len(wanted) == len(SPLITS) and sets.count > 1 else "100,0,0"
        command = pipeline_command("split", "--dataset", root, "--name", name, "--ratios", fewer)
        raise UserError(
            f"split {name}: expected a group (artist) for each of {', '.join(wanted)}, since a group is never divided, "
            f"received {found} in {root}; build a catalog of more groups (without a column `group` every track is its own "
            f"group), or leave a side out: `{command}`"
        )


def read_split(dataset: Dataset, name: str, version: str) -> pa.Table:
    """The sides of a version, schema SPLIT; raises DatasetError if its file is missing or damaged."""
    uri = dataset.layout.split(name, version)
    table = read_stored_table(uri, SPLIT, what="a version of a split", advice=_ADVICE)
    if split_version(table) != version:
        raise DatasetError(f"{uri}: its sides do not match its hash; {_ADVICE}")
    return table


def split_log(dataset: Dataset, name: str) -> list[dict[str, Any]]:
    """The versions of a split, oldest first; empty if there is no such split.

    Raises:
        DatasetError: the log is damaged, or missing although versions exist.
    """
    uri = dataset.layout.split_log(name)
    if not exists(uri):
        if list_names(dataset.layout.splits(name)):
            raise _lost_log(dataset, name)
        return []
    log = read_log(uri, _ADVICE)
    try:
        for entry in log:
            SplitMethod.from_dict(entry["made"])
    except (KeyError, TypeError, ValueError, UserError) as error:
        raise DatasetError(f"{uri}: expected how each version was made: {error}; {_ADVICE}") from error
    return log


def _lost_log(dataset: Dataset, name: str) -> DatasetError:
    """The error for a split without its log, which is not made again because its tracks might change sides."""
    return DatasetError(
        f"{dataset.layout.split_log(name)}: the log of the split is missing though versions of it are there: if a command was "
        f"stopped while it made the split, run that one again; else {_ADVICE}"
    )


def split_version(table: pa.Table) -> str:
    """A hash over the sides of all tracks, schema SPLIT."""
    digest = hashlib.sha256()
    for first in range(0, table.num_rows, _HASHED_AT_ONCE):
        rows = table.slice(first, _HASHED_AT_ONCE)
        pairs = list(zip(rows["track_id"].to_pylist(), rows["split"].to_pylist(), strict=True))
        # Hash the JSON of each pair in turn. Only the end of a pair can lie between two unescaped quotes.
        digest.update(canonical_json(pairs)[1:-1].replace(b'"],["', b'"]["'))
    return digest.hexdigest()[:FINGERPRINT_LENGTH]
