"""Take tracks out of a dataset, as a take-down request wants it. `remove` is what the command calls."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.removal.purge import purge_tracks
from schemas.dataset import Dataset
from schemas.errors import UserError
from schemas.layout import Layout
from schemas.sole_writer import sole_writer
from schemas.storage import exists, join, list_names, open_read, read_bytes, write_atomic
from schemas.table_files import read_table
from schemas.tables import LABELS, REMOVED, SPLITS, TRACK_IDS
from schemas.text_lines import lines_of, text_of

_PLAIN_ENDINGS = (".txt", ".list", ".ids")


@dataclasses.dataclass(frozen=True)
class RemovalSummary:
    """What a removal did.

    Attributes:
        asked: ids in the user's file.
        unknown: of them not in the dataset: how many, and the first few.
        removed: taken out by this call.
        before: taken out before.
        purged_payloads: payload files that were rewritten; None without purge.
        labels: label version -> tracks of the request that it holds, per split.
        runs: folders of training runs known to the dataset that were trained on one of those versions.
    """

    asked: int
    unknown: tuple[int, tuple[str, ...]]
    removed: int
    before: int
    purged_payloads: int | None
    labels: dict[str, dict[str, int]]
    runs: tuple[str, ...]


def remove(
    root: str, tracks_uri: str, *, purge: bool = False, on_progress: Callable[[int, int], None] | None = None
) -> RemovalSummary:
    """Take tracks out: every reader passes them over from now on, and with `purge` their features are erased.

    The same call again goes on where one was cut short, and changes nothing otherwise.

    Args:
        root: the dataset.
        tracks_uri: a table with a column track_id, or a text file (.txt) of one id a line.
        purge: overwrite their records, also those that newer ones superseded.
        on_progress: called with payloads looked at and payloads in all.

    Raises:
        UserError: the file is wrong, or names no track of the dataset.
    """
    asked = read_ids(tracks_uri)
    dataset = Dataset.open(root)
    with sole_writer(dataset.layout.root):
        known = pa.concat_tables(
            dataset.tracks_of(entry.generation, ["track_id"]) for entry in dataset.manifest.generations
        )["track_id"].unique()
        ours = asked.filter(pc.is_in(asked, value_set=known))
        if len(ours) == 0:
            raise UserError(f"{tracks_uri}: none of its {len(asked)} tracks is in {root}, such as {asked[0].as_py()!r}")
        unknown = asked.filter(pc.invert(pc.is_in(asked, value_set=known))).to_pylist()
        tombstones = dataset.removed()
        new = ours.filter(pc.invert(pc.is_in(ours, value_set=tombstones["track_id"].combine_chunks())))
        _write_tombstones(dataset.layout, tombstones, new, purged=False)
        rewritten = None
        if purge:
            rewritten = purge_tracks(dataset, ours, on_progress or (lambda done, total: None))
            _write_tombstones(dataset.layout, dataset.removed(), ours, purged=True)
        labels = dict(_label_versions_with(dataset, ours))
        return RemovalSummary(
            asked=len(asked),
            unknown=(len(unknown), tuple(unknown[:3])),
            removed=len(new),
            before=len(ours) - len(new),
            purged_payloads=rewritten,
            labels=labels,
            runs=tuple(run["run"] for run in known_runs(dataset.layout) if run["label_set"] in labels),
        )


def known_runs(layout: Layout) -> list[dict[str, Any]]:
    """What training runs wrote down in the dataset: `run` (their folder) and `label_set` (NAME@VERSION)."""
    names = [name for name in list_names(layout.runs) if name.startswith("train-")]
    return [json.loads(read_bytes(join(layout.runs, name))) for name in names]


def read_ids(uri: str) -> pa.Array:
    if uri.lower().endswith(_PLAIN_ENDINGS):
        try:
            lines = lines_of(text_of(read_bytes(uri), f"tracks {uri}"))
        except OSError as error:
            raise UserError(f"tracks {uri}: cannot be read: {error.strerror or error}") from error
        ids = pa.array(sorted({line.strip() for line in lines if line.strip()}), pa.string())
    else:
        table = read_table(uri, what="tracks", required=TRACK_IDS.names, schema=TRACK_IDS)
        ids = table["track_id"].unique().sort()
    if len(ids) == 0:
        raise UserError(f"tracks {uri}: expected at least one track id, found none")
    return ids


def _write_tombstones(layout: Layout, before: pa.Table, ids: pa.Array, *, purged: bool) -> None:
    """Add tombstones, or mark those that are there as purged."""
    kept = before.filter(pc.invert(pc.is_in(before["track_id"], value_set=ids)))
    added = pa.table({"track_id": ids, "purged": pa.array([purged] * len(ids), pa.bool_())}, schema=REMOVED)
    table = pa.concat_tables([kept, added]).sort_by("track_id").combine_chunks()
    if not table.equals(before):
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        write_atomic(layout.removed, bytes(sink.getvalue()))


def _label_versions_with(dataset: Dataset, ids: pa.Array) -> Any:
    """NAME@VERSION and tracks per split, of each label version that holds some of these tracks."""
    for name in list_names(dataset.layout.label_sets):
        for version in list_names(dataset.layout.label_set(name)):
            uri = join(dataset.layout.label_version(name, version), "labels.parquet")
            if not exists(uri):
                continue
            with open_read(uri) as file:
                table = pq.read_table(file, columns=["track_id", "split"])
            held = table.filter(pc.is_in(table["track_id"].cast(LABELS.field("track_id").type), value_set=ids))
            counts = {side: pc.sum(pc.equal(held["split"], side)).as_py() or 0 for side in SPLITS}
            if held.num_rows:
                yield f"{name}@{version}", {side: count for side, count in counts.items() if count}
