"""Splits: assign tracks to training, validation or test, in separate tables over the same features."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.labels.annotations import Annotations
from pipeline.labels.group_sets import GroupSets, group_sets, stratified
from schemas.console.errors import DatasetError, UserError
from schemas.console.shown_commands import pipeline_command
from schemas.dataset import Dataset
from schemas.features import FINGERPRINT_LENGTH, canonical_json
from schemas.json_log import log_bytes, read_log
from schemas.names import check_name
from schemas.same_audio import same_audio
from schemas.sole_writer import changing
from schemas.storage.files import exists, list_names, write_atomic
from schemas.storage.stored_tables import read_stored_table, table_bytes
from schemas.tables import SPLIT, SPLITS

DEFAULT_SPLIT = "default"
DEFAULT_RATIOS = (80.0, 10.0, 10.0)  # train, validation, test

# Advice for a damaged split, which cannot be made again, since tracks keep their sides.
_ADVICE = "restore it from a copy, or make a split of another name"

_HASHED_AT_ONCE = 1 << 16  # tracks


@dataclasses.dataclass(frozen=True)
class SplitMethod:
    """The method of a split, which also extends it when the dataset grows.

    Attributes:
        ratios: Shares of train, validation and test; None to use the catalog's split column.
        salt: Text that changes which groups fall where; without it the cut follows the shards as far as the shares allow, so
            that training reads little that it does not need.
        stratified: SHA-256 of the annotation files whose tags were spread over the sides when the split was made; tracks
            added later are assigned as in any other split.
    """

    ratios: tuple[float, float, float] | None = DEFAULT_RATIOS
    salt: str = ""
    stratified: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ratios is not None and not (
            len(self.ratios) == 3
            and all(0 <= share < math.inf for share in self.ratios)
            and 0 < sum(self.ratios) < math.inf
        ):
            raise UserError(f"--ratios: expected three shares such as 80,10,10, received {self.ratios}")
        if self.ratios is None and (self.salt or self.stratified):
            raise UserError("--from-catalog: expected without --ratios, --salt and --stratify, received both")

    def to_dict(self) -> dict[str, Any]:
        if self.ratios is None:
            return {"method": "catalog"}
        fields = {"method": "hash", "ratios": list(self.ratios), "salt": self.salt}
        return {**fields, "method": "stratified", "stratified": list(self.stratified)} if self.stratified else fields

    @property
    def words(self) -> str:
        """A description of the method."""
        if self.ratios is None:
            return "from the catalog"
        how = "stratified" if self.stratified else "by hash"
        ratios = ",".join(f"{share:g}" for share in self.ratios)
        return f"{how}, ratios {ratios}{f', salt {self.salt}' if self.salt else ''}"

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> SplitMethod:
        if fields["method"] == "catalog":
            return cls(ratios=None)
        train, validation, test = fields["ratios"]
        return cls((train, validation, test), fields["salt"], tuple(fields.get("stratified", ())))


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


def parse_ratios(text: str) -> tuple[float, float, float]:
    """`80,10,10` as shares; raises UserError."""
    try:
        train, validation, test = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(f"--ratios: expected three numbers such as 80,10,10, received {text!r}") from error
    return train, validation, test


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
    table = _assign(tracks, method, name, before, sets, annotations)
    version = split_version(table)
    if not log and {f"{version}.parquet", *list_names(dataset.layout.splits(name))} != {f"{version}.parquet"}:
        raise _lost_log(dataset, name)
    if before is None or log[-1]["version"] != version:
        write_atomic(dataset.layout.split(name, version), table_bytes(table))
        log.append({"version": version, "made": method.to_dict(), "tracks": table.num_rows})
        write_atomic(dataset.layout.split_log(name), log_bytes(log))
    counts = {side: pc.sum(pc.equal(table["split"], side)).as_py() or 0 for side in SPLITS}
    counts["none"] = tracks.num_rows - table.num_rows
    straddling, apart = _straddling(tracks, table), _groups_apart(tracks, table)
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


def _assign(
    tracks: pa.Table,
    method: SplitMethod,
    name: str,
    before: pa.Table | None,
    sets: GroupSets | None,
    annotations: Annotations | None,
) -> pa.Table:
    """Sides of all tracks, schema SPLIT; tracks of `before` keep their sides."""
    pinned = np.full(tracks.num_rows, -1, np.int64) if before is None else _pinned(tracks, before)
    if method.ratios is None or sets is None:
        if tracks["split"].null_count == tracks.num_rows:
            raise UserError(f"split {name}: the catalog has no split column, or an empty one; use --ratios")
        sides = _codes(tracks["split"])
    else:
        if method.stratified and before is None:
            if annotations is None:
                raise UserError(f"split {name}: --stratify: expected the annotation files, received none")
            sides = stratified(tracks, sets, method.ratios, annotations)
        else:
            sides = sets.placed(pinned, method.ratios)
    sides = np.where(pinned >= 0, pinned, sides)
    table = pa.table({"track_id": tracks["track_id"], "split": pa.array(SPLITS).take(pa.array(sides, mask=sides < 0))})
    return table.filter(pc.is_valid(table["split"])).sort_by("track_id").cast(SPLIT)


def _pinned(tracks: pa.Table, before: pa.Table) -> npt.NDArray[np.int64]:
    """Codes of the tracks' sides in a version of the split; -1 for tracks without a side."""
    place = pc.index_in(tracks["track_id"], value_set=before["track_id"].combine_chunks())
    return _codes(before["split"].take(place))


def _codes(sides: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    codes: npt.NDArray[np.int64] = (
        pc.fill_null(pc.index_in(sides, value_set=pa.array(SPLITS)), -1).to_numpy().astype(np.int64)
    )
    return codes


def _straddling(tracks: pa.Table, table: pa.Table) -> tuple[int, tuple[str, ...]]:
    """Number of sets of tracks with the same audio that lie on several sides, and two ids of the first."""
    lists = same_audio(tracks)
    wanted = pa.array([track for same in lists for track in same], pa.string())
    found = pc.index_in(wanted, value_set=table["track_id"].combine_chunks())
    side_of = dict(zip(wanted.to_pylist(), table["split"].take(found).to_pylist(), strict=True))
    apart = [same for same in lists if len({side_of[track] for track in same} - {None}) > 1]
    if not apart:
        return 0, ()
    first = apart[0][0]
    return len(apart), (first, next(track for track in apart[0] if side_of[track] not in (side_of[first], None)))


def _groups_apart(tracks: pa.Table, table: pa.Table) -> tuple[int, tuple[str, ...]]:
    place = pc.index_in(table["track_id"], value_set=tracks["track_id"].combine_chunks())
    sides = pa.table({"group": tracks["group"].take(place), "split": table["split"]}).group_by("group")
    counted = sides.aggregate([("split", "count_distinct")])
    apart = sorted(counted["group"].filter(pc.greater(counted["split_count_distinct"], 1)).to_pylist())
    return len(apart), tuple(apart[:1])


def split_version(table: pa.Table) -> str:
    """A hash over the sides of all tracks, schema SPLIT."""
    digest = hashlib.sha256()
    for first in range(0, table.num_rows, _HASHED_AT_ONCE):
        rows = table.slice(first, _HASHED_AT_ONCE)
        pairs = list(zip(rows["track_id"].to_pylist(), rows["split"].to_pylist(), strict=True))
        # Hash the JSON of each pair in turn. Only the end of a pair can lie between two unescaped quotes.
        digest.update(canonical_json(pairs)[1:-1].replace(b'"],["', b'"]["'))
    return digest.hexdigest()[:FINGERPRINT_LENGTH]
