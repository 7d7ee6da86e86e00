"""What grows by generations, read as a whole: the finished generations' tracks tables, without what was removed."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.console.errors import DatasetError
from schemas.console.shown_commands import pipeline_command
from schemas.layout import Layout, generation_name, shard_name
from schemas.manifests import GenerationEntry, GenerationsManifest
from schemas.storage.files import exists, list_names, open_read, sha256_of
from schemas.storage.stored_tables import read_stored_table
from schemas.tables import REMOVED, TRACKS


@dataclasses.dataclass(frozen=True)
class Generations(abc.ABC):
    """The finished part of a folder that grows by generations: a dataset, or the tags of a catalog.

    Attributes:
        layout: Paths of its files.
        manifest: Its manifest without the generation under way, so everything read here is complete.
        under_way: Generation whose job is running, was stopped, or was refused for its rejects; None if there is none.
    """

    layout: Layout
    manifest: GenerationsManifest
    under_way: GenerationEntry | None = None

    @abc.abstractmethod
    def mark_folders(self, generation: int) -> list[str]:
        """Folders, each of which holds a done mark of every finished shard of a generation."""

    def under_way_words(self) -> str | None:
        """Progress of the generation under way; None if there is none."""
        if self.under_way is None:
            return None
        entry = self.under_way
        return (
            f"{generation_name(entry.generation)} is under way ({len(self.shards_under_way())} of {entry.shards} shards are "
            "done)"
        )

    def shards_under_way(self) -> list[int]:
        """Numbers of the shards of the generation under way that have all their done marks."""
        if self.under_way is None:
            return []
        names = [set(list_names(folder)) for folder in self.mark_folders(self.under_way.generation)]
        return [
            shard
            for shard in range(self.under_way.shards)
            if all(f"{shard_name(shard)}.json" in found for found in names)
        ]

    def tracks_of(self, generation: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The tracks table of one generation as it lies on disk, schema TRACKS.

        Args:
            generation: Number of the generation.
            columns: Columns to read; None for all. A whole table of millions of tracks takes gigabytes.

        Raises:
            DatasetError: the table is missing, damaged, or not the one that the manifest names.
        """
        uri = self.layout.tracks(generation)
        try:
            found = sha256_of(uri)
        except FileNotFoundError as error:
            raise DatasetError(f"{uri}: the tracks table is missing") from error
        if found != self.manifest.generations[generation].tracks_sha256:
            raise DatasetError(f"{uri}: not the table that {self.layout.manifest} names (its checksum differs)")
        with open_read(uri) as file:
            return pq.read_table(file, schema=TRACKS, columns=None if columns is None else list(columns))

    def removed(self) -> pa.Table:
        """Tombstones, schema REMOVED; empty if nothing was removed. Raises DatasetError if the file is damaged."""
        return read_tombstones(self.layout)

    def newest_tracks(self, columns: Sequence[str] | None = None) -> pa.Table:
        """One row per track that was not removed: its newest record, or its newest reject if it has no record.

        Args:
            columns: Columns to read besides track_id and record; None for all.

        Returns:
            A table of schema TRACKS with a leading column `generation`, ordered by track_id.
        """
        return self._newest(columns, (), None)

    def _newest(
        self,
        columns: Sequence[str] | None,
        read_too: Sequence[str],
        more: Callable[[pa.Table], pa.Table] | None,
    ) -> pa.Table:
        """The newest rows, with further columns that `more` computes from a generation's table."""
        kept = TRACKS.names if columns is None else list(dict.fromkeys(("track_id", "record", *columns)))
        tables = []
        for entry in self.manifest.generations:
            tracks = self.tracks_of(entry.generation, list(dict.fromkeys((*kept, *read_too))))
            added = None if more is None else more(tracks)
            tracks = tracks.select(kept).add_column(
                0, "generation", pa.array(np.full(tracks.num_rows, entry.generation, np.int32))
            )
            if added is not None:
                for name in added.column_names:
                    tracks = tracks.append_column(name, added[name])
            tables.append(tracks)
        if not tables:
            fields = [pa.field("generation", pa.int32()), *(TRACKS.field(name) for name in kept)]
            return pa.schema(fields).empty_table()
        table = pa.concat_tables(tables)
        removed = self.removed()["track_id"].combine_chunks()
        if len(removed):
            table = table.filter(pc.invert(pc.is_in(table["track_id"], value_set=removed)))
        return newest_rows(table)

    def identity(self) -> tuple[str, ...]:
        """SHA-256 of every generation's tracks table; a label version records it to identify its dataset."""
        return tuple(str(entry.tracks_sha256) for entry in self.manifest.generations)


def read_tombstones(layout: Layout) -> pa.Table:
    """Tracks removed from a dataset, schema REMOVED; empty if none were. Raises DatasetError for a damaged file."""
    if not exists(layout.removed):
        return REMOVED.empty_table()
    again = pipeline_command("remove")
    return read_stored_table(
        layout.removed,
        REMOVED,
        what="the table of removed tracks",
        advice=f"restore it from a copy, or remove it and run every `{again}` again",
    )


def newest_rows(table: pa.Table) -> pa.Table:
    """The newest row of each track_id, a record before any reject; ordered by track_id."""
    keyed = pa.table(
        {
            "track_id": table["track_id"],
            "kept": table["record"].is_valid().cast(pa.int8()),
            "generation": table["generation"],
            "row": np.arange(table.num_rows),
        }
    ).sort_by([("track_id", "ascending"), ("kept", "ascending"), ("generation", "ascending")])
    ids = keyed["track_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    last_of_id = np.append(ids[1:] != ids[:-1], True) if len(ids) else np.empty(0, bool)
    rows: Any = keyed["row"].to_numpy()[last_of_id]
    return table.take(rows)
