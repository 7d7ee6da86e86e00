"""Write the index of tags from their scores and embeddings, shard by shard."""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.search.block_matrix import BlockWriter
from pipeline.search.index_files import (
    ENDINGS,
    MANIFEST,
    REMOVED_THEN,
    ROWS,
    ROWS_SCHEMA,
    SCORES,
    VECTORS,
    IndexManifest,
    index_base,
    index_folder,
)
from pipeline.search.nearest import norms_of
from schemas.console.errors import DatasetError, UserError
from schemas.console.progress import Progress
from schemas.console.shown_commands import pipeline_command
from schemas.storage.files import list_names, publish, read_bytes, remove, remove_temporaries, spool, write_atomic
from schemas.storage.stored_tables import table_bytes
from schemas.tags import Tags, scores_schema

_READERS = 8  # shards read in parallel
_AHEAD = 64  # shards in memory at a time: some 15 MB

_Matrix = npt.NDArray[np.float16]


def write_index(tags: Tags) -> None:
    """Write the index of tags as they are, and remove those of tags as they were. Deterministic.

    Embeddings with values that float16 cannot hold are left out, since nothing is near them.

    Raises:
        UserError: No track has an embedding.
        DatasetError: The tags are damaged.
    """
    removed = tags.removed()
    tracks = tags.newest_tracks(["group", "pcm_sha256", "shard"])
    tracks = tracks.filter(pc.is_valid(tracks["record"]))
    tracks = tracks.sort_by([(name, "ascending") for name in ("generation", "shard", "record")]).combine_chunks()
    base, model = index_base(tags), tags.manifest.model
    remove_temporaries(index_folder(tags))
    norms = [np.empty(0, np.float64)]
    with spool(base + VECTORS) as vectors_path, spool(base + SCORES) as scores_path:
        with open(vectors_path, "wb") as vectors_file, open(scores_path, "wb") as scores_file:
            vectors = BlockWriter(vectors_file, model.embedding)
            scores = BlockWriter(scores_file, len(model.tags))
            for found_vectors, found_scores in _shards(tags, tracks):
                norms.append(norms_of(found_vectors))
                is_kept = np.isfinite(norms[-1])
                vectors.append(found_vectors[is_kept])
                scores.append(found_scores[is_kept])
        norm = np.concatenate(norms)
        tracks = tracks.append_column("norm", pa.array(norm)).filter(pa.array(np.isfinite(norm)))
        if not tracks.num_rows:
            raise UserError(f"{tags.layout.root}: expected tracks with embeddings, found none that are not removed")
        # If an index of these tags is replaced, no reader may take the new files for the old ones.
        remove(base + MANIFEST)
        publish(vectors_path, base + VECTORS)
        publish(scores_path, base + SCORES)
    rows = table_bytes(tracks.select(ROWS_SCHEMA.names).cast(ROWS_SCHEMA))
    manifest = IndexManifest(
        model_sha256=model.sha256,
        generations=tags.identity(),
        rows=tracks.num_rows,
        rows_sha256=hashlib.sha256(rows).hexdigest(),
        width=model.embedding,
        tags=len(model.tags),
        vectors_crc32c=vectors.crcs,
        scores_crc32c=scores.crcs,
    )
    write_atomic(base + ROWS, rows)
    write_atomic(base + REMOVED_THEN, table_bytes(removed))
    write_atomic(base + MANIFEST, manifest.to_bytes())
    _remove_others(tags)


def _remove_others(tags: Tags) -> None:
    folder, base = index_folder(tags), index_base(tags)
    for name in list_names(folder):
        uri = f"{folder}/{name}"
        if not uri.startswith(base) and name.endswith(ENDINGS):
            remove(uri)


def _shards(tags: Tags, tracks: pa.Table) -> Iterator[tuple[_Matrix, _Matrix]]:
    """Embeddings and scores of the tracks, shard by shard in their order."""
    generations, shards = tracks["generation"].to_numpy(), tracks["shard"].to_numpy()
    starts = np.flatnonzero(np.diff(generations, prepend=-1) | np.diff(shards, prepend=-1)).tolist()
    parts = [tracks.slice(first, end - first) for first, end in itertools.pairwise([*starts, tracks.num_rows])]

    def read(part: pa.Table) -> tuple[_Matrix, _Matrix]:
        return _read(tags, part)

    with contextlib.ExitStack() as stack:
        readers = stack.enter_context(concurrent.futures.ThreadPoolExecutor(_READERS))
        progress = stack.enter_context(Progress("index", len(parts), "shards"))
        for first in range(0, len(parts), _AHEAD):
            yield from readers.map(read, parts[first : first + _AHEAD])
            progress.update(min(first + _AHEAD, len(parts)))


def _read(tags: Tags, wanted: pa.Table) -> tuple[_Matrix, _Matrix]:
    """Embeddings and scores of some tracks of one shard; raises DatasetError unless its file is the one that was written."""
    uri, mark = tags.scores(wanted["generation"][0].as_py(), wanted["shard"][0].as_py())
    check = pipeline_command("verify", "--tags", tags.layout.root)
    try:
        data = read_bytes(uri)
    except FileNotFoundError as error:
        raise DatasetError(f"{uri}: the scores are missing; restore them from a copy, see `{check}`") from error
    if hashlib.sha256(data).hexdigest() != mark.sha256:
        raise DatasetError(f"{uri}: its bytes are not those of its done mark; restore it from a copy, see `{check}`")
    model = tags.manifest.model
    table = pq.read_table(pa.BufferReader(data))
    schema = scores_schema(len(model.tags), model.embedding)
    if not table.schema.remove_metadata().equals(schema):
        raise DatasetError(f"{uri}: its columns are not those that tags.json names, see `{check}`")
    rows = pc.index_in(wanted["track_id"], value_set=table["track_id"].combine_chunks())
    if rows.null_count:
        raise DatasetError(f"{uri}: its tracks are not those of the tracks table, see `{check}`")
    table = table.take(rows)
    return _matrix(table["embedding"]), _matrix(table["scores"])


def _matrix(column: pa.ChunkedArray) -> _Matrix:
    array = column.combine_chunks()
    values = array.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values, np.float16).reshape(len(array), array.type.list_size)
