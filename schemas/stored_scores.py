"""Read the scores of one shard of tags, once its bytes are known to be those that were written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.console.errors import DatasetError
from schemas.console.shown_commands import pipeline_command
from schemas.storage.files import read_bytes
from schemas.tags import Tags, scores_schema


def read_scores(tags: Tags, generation: int, shard: int, columns: Sequence[str] | None = None) -> pa.Table:
    """The scores of a shard, of the schema `scores_schema`, a row per stored track that was not erased.

    Args:
        tags: the tags.
        generation: number of the generation.
        shard: number of the shard.
        columns: columns to read; None for all.

    Raises:
        DatasetError: the file is missing, its bytes are not those of its done mark, or its columns are not those that
            tags.json names.
    """
    uri, mark = tags.scores(generation, shard)
    check = f"restore it from a copy, see `{pipeline_command('verify', '--tags', tags.layout.root)}`"
    if uri.rsplit("/", 1)[-1] != mark.payload:
        raise DatasetError(f"{uri}: its done mark names {mark.payload}; the mark is another shard's or was changed")
    try:
        data = read_bytes(uri)
    except FileNotFoundError as error:
        raise DatasetError(f"{uri}: the scores are missing though their done mark is there; {check}") from error
    if len(data) != mark.bytes or hashlib.sha256(data).hexdigest() != mark.sha256:
        raise DatasetError(
            f"{uri}: its bytes are not those of its done mark (the SHA-256 or the size differs); {check}"
        )
    model = tags.manifest.model
    schema = scores_schema(len(model.tags), model.embedding if tags.manifest.embeddings else 0)
    file = pq.ParquetFile(pa.BufferReader(data))
    if not file.schema_arrow.remove_metadata().equals(schema):
        raise DatasetError(
            f"{uri}: expected the columns {', '.join(schema.names)} as tags.json says, found another schema; {check}"
        )
    return file.read(columns, use_threads=False)
