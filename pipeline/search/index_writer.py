"""Write the index of tags from their scores and embeddings, shard by shard."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from pipeline.search.block_matrix import BlockWriter
from pipeline.search.index_files import (
    ENDINGS,
    GRAPH,
    MANIFEST,
    REMOVED_THEN,
    ROWS,
    ROWS_SCHEMA,
    SCORES,
    VECTORS,
    IndexManifest,
    index_base,
    index_folder,
    remove_graphs,
)
from pipeline.search.nearest import norms_of
from schemas.console.errors import UserError
from schemas.storage.files import list_names, publish, remove, remove_temporaries, spool, write_atomic
from schemas.storage.stored_tables import table_bytes
from schemas.tag_shards import by_place, matrix, read_shards
from schemas.tags import Tags


def write_index(tags: Tags) -> None:
    """Write the index of tags as they are, and remove those of tags as they were. Deterministic.

    Embeddings with values that float16 cannot hold are left out, since nothing is near them.

    Raises:
        UserError: No track has an embedding.
        DatasetError: The tags are damaged.
    """
    removed = tags.removed()
    tracks = by_place(tags.newest_tracks(["group", "pcm_sha256", "shard"]))
    base, model = index_base(tags), tags.manifest.model
    remove_temporaries(index_folder(tags))
    norms = [np.empty(0, np.float64)]
    with spool(base + VECTORS) as vectors_path, spool(base + SCORES) as scores_path:
        with open(vectors_path, "wb") as vectors_file, open(scores_path, "wb") as scores_file:
            vectors = BlockWriter(vectors_file, model.embedding)
            scores = BlockWriter(scores_file, len(model.tags))
            for _, found in read_shards(tags, tracks, ("embedding", "scores"), what="index"):
                found_vectors, found_scores = matrix(found["embedding"]), matrix(found["scores"])
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
        remove_graphs(base)
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
        if not uri.startswith(base) and name.endswith((*ENDINGS, GRAPH)):
            remove(uri)
