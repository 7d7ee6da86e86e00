"""Sides of MagnaTagATune's clips: from published lists if given, else from the folders, as is customary."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.importers.agreement import Said, one_row_per_track
from pipeline.importers.outputs import Remark, remark
from schemas.console.errors import UserError
from schemas.tables import SPLITS

_SIDE_OF_FOLDER = {**dict.fromkeys("0123456789ab", "train"), "c": "validation", **dict.fromkeys("def", "test")}

# The three clips whose published mp3 has no bytes; no published list names them.
EMPTY_CLIPS = (
    "6/norine_braun-now_and_zen-08-gently-117-146.mp3",
    "8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233.mp3",
    "9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_couperin-88-117.mp3",
)


def clips_of_paths(catalog: pa.Table, paths: pa.Array, uri: str) -> pa.Array:
    """The clip ids of listed paths, whatever their extension.

    Raises:
        UserError: a path is not in the catalog.
    """
    place = pc.index_in(_without_ending(paths), value_set=_without_ending(catalog["path"]).combine_chunks())
    if place.null_count:
        missing = paths.filter(pc.is_null(place))
        raise UserError(
            f"{uri}: {len(missing):,} of its {len(paths):,} paths are in no file that knows clip ids, such as "
            f"{missing[0].as_py()}; give the whole annotations_final.csv or index_mtt.tsv"
        )
    return catalog["track_id"].take(place).combine_chunks()


def with_sides(catalog: pa.Table, listed: Sequence[tuple[str, str, pa.Array]]) -> tuple[pa.Table, tuple[Remark, ...]]:
    """The catalog with a column split, and remarks on clips without a side.

    Args:
        catalog: Columns track_id and path.
        listed: (side, file, clip ids) of each published list. A side without a list takes the clips of its folders.

    Raises:
        UserError: two lists of a side differ, or lists put a clip on two sides or name one that is not in the catalog.
    """
    _check_lists(catalog, listed)
    ids, paths = catalog["track_id"], catalog["path"]
    folder = pc.utf8_slice_codeunits(paths, 0, 1)
    place = pc.index_in(folder, value_set=pa.array(list(_SIDE_OF_FOLDER)))
    by_folder = pa.array(list(_SIDE_OF_FOLDER.values())).take(place)
    empty = pc.is_in(paths, value_set=pa.array(EMPTY_CLIPS))
    by_folder = pc.if_else(empty, None, by_folder)
    sides_listed = sorted({side for side, _, _ in listed}, key=SPLITS.index)
    sides = pc.if_else(pc.is_in(by_folder, value_set=pa.array(sides_listed, pa.string())), None, by_folder)
    if listed:
        said = one_row_per_track(
            [
                Said(uri, pa.table({"track_id": clips, "split": pa.array([side] * len(clips))}))
                for side, uri, clips in listed
            ]
        )
        found = pc.index_in(ids, value_set=said["track_id"].combine_chunks())
        sides = pc.coalesce(said["split"].take(found), sides)
    unlisted = pc.and_(pc.is_null(sides), pc.invert(empty))
    remarks = (
        *remark("clips whose published mp3 is empty, kept without a side", paths, pc.and_(pc.is_null(sides), empty)),
        *remark("clips in none of the split's lists, kept without a side", paths, unlisted),
        *(
            mark
            for side in SPLITS
            if sides_listed and side not in sides_listed
            for mark in remark(
                f"clips on the {side} side by their folder, as it has no list", paths, pc.equal(sides, side)
            )
        ),
    )
    return catalog.append_column("split", sides), remarks


def _check_lists(catalog: pa.Table, listed: Sequence[tuple[str, str, pa.Array]]) -> None:
    known = catalog["track_id"].combine_chunks()
    first: dict[str, tuple[str, pa.Array]] = {}
    for side, uri, clips in listed:
        foreign = clips.filter(pc.invert(pc.is_in(clips, value_set=known)))
        if len(foreign):
            raise UserError(
                f"{uri}: {len(foreign):,} of its {len(clips):,} clips are in no file that knows paths, such as "
                f"{foreign[0].as_py()}; give the whole annotations_final.csv or index_mtt.tsv"
            )
        one, others = first.setdefault(side, (uri, clips))
        if set(clips.to_pylist()) != set(others.to_pylist()):
            raise UserError(
                f"{one} and {uri}: expected one split, received two: {len(others):,} and {len(clips):,} clips of the "
                f"{side} side; give the files of one"
            )


def _without_ending(paths: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return pc.replace_substring_regex(paths, r"\.[a-z0-9]+$", "")
