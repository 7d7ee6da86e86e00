"""Put tracks on the sides of a split, and find what belongs together but lies on several sides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.labels.annotations import Annotations
from pipeline.labels.group_sets import GroupSets, stratified
from pipeline.labels.split_method import SplitMethod
from schemas.console.errors import UserError
from schemas.same_audio import same_audio
from schemas.tables import SPLIT, SPLITS


def assigned_sides(
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


def straddling_sets(tracks: pa.Table, table: pa.Table) -> tuple[int, tuple[str, ...]]:
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


def divided_groups(tracks: pa.Table, table: pa.Table) -> tuple[int, tuple[str, ...]]:
    """Number of groups that lie on several sides, and the first of them."""
    place = pc.index_in(table["track_id"], value_set=tracks["track_id"].combine_chunks())
    sides = pa.table({"group": tracks["group"].take(place), "split": table["split"]}).group_by("group")
    counted = sides.aggregate([("split", "count_distinct")])
    apart = sorted(counted["group"].filter(pc.greater(counted["split_count_distinct"], 1)).to_pylist())
    return len(apart), tuple(apart[:1])
