"""The files of an index over the embeddings of tags: their names, what they hold, and what they belong to.

    TAGS/index/KEY.vectors      float16 [rows, width], the embeddings
    TAGS/index/KEY.scores       float16 [rows, tags]
    TAGS/index/KEY.parquet      track_id, group, pcm_sha256, generation, shard and norm of each row
    TAGS/index/KEY.removed      the tracks that had been removed when it was made, as removed.parquet holds them
    TAGS/index/KEY.json         what it was made from, and checksums; written last
    TAGS/index/KEY.graphs.json  and KEY.NUMBER.usearch, see `graph_files`

KEY is a hash of the model and of the tracks tables, so tags that have grown or changed never meet an old index. A row is the
newest record of a track that was not removed when the index was made.
"""

from __future__ import annotations

import dataclasses
import hashlib

import pyarrow as pa

from schemas.features import canonical_json
from schemas.manifests import Manifest
from schemas.storage.files import join, list_names, remove
from schemas.tags import Tags

FORMAT = 1  # raised when the files of an index change their meaning
VECTORS, SCORES, ROWS, REMOVED_THEN, MANIFEST = ".vectors", ".scores", ".parquet", ".removed", ".json"
ENDINGS = (MANIFEST, REMOVED_THEN, ROWS, SCORES, VECTORS)  # in the order in which they are removed
GRAPHS, GRAPH = ".graphs.json", ".usearch"
_KEY_LENGTH = 16  # hex digits

ROWS_SCHEMA = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("pcm_sha256", pa.string()),
        pa.field("generation", pa.int32(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("norm", pa.float64(), nullable=False),
    ]
)


@dataclasses.dataclass(frozen=True)
class IndexManifest(Manifest):
    """KEY.json.

    Attributes:
        model_sha256: SHA-256 of the model that made the embeddings.
        generations: SHA-256 of the tracks table of each generation.
        rows: Number of rows.
        rows_sha256: SHA-256 of the file of the rows, so that no other is taken for it.
        width: Number of values of an embedding.
        tags: Number of scores of a track.
        vectors_crc32c: CRC32C of each block of the embeddings, eight hex digits each.
        scores_crc32c: CRC32C of each block of the scores.
    """

    model_sha256: str
    generations: tuple[str, ...]
    rows: int
    rows_sha256: str
    width: int
    tags: int
    vectors_crc32c: str
    scores_crc32c: str


def index_folder(tags: Tags) -> str:
    """The folder that holds the index of tags."""
    return tags.layout.index


def index_base(tags: Tags) -> str:
    """What the paths of the index of tags as they are begin with."""
    identity = [FORMAT, tags.manifest.model.sha256, *tags.identity()]
    return join(index_folder(tags), hashlib.sha256(canonical_json(identity)).hexdigest()[:_KEY_LENGTH])


def remove_index(tags: Tags) -> None:
    """Remove the index of tags as they are, the manifest first."""
    for ending in ENDINGS:
        remove(index_base(tags) + ending)
    remove_graphs(index_base(tags))


def graph_ending(number: int) -> str:
    """The end of the name of a graph."""
    return f".{number}{GRAPH}"


def remove_graphs(base: str) -> None:
    """Remove the graphs of an index, their manifest first.

    Args:
        base: What the paths of the index begin with.
    """
    remove(base + GRAPHS)
    folder, key = base.rsplit("/", 1)
    for name in list_names(folder):
        if name.startswith(key) and name.endswith(GRAPH):
            remove(f"{folder}/{name}")
