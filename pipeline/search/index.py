"""The index over the embeddings of tags: opened and checked, or made when it is first asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.search.block_matrix import BlockMatrix, DamagedIndexError
from pipeline.search.index_files import (
    MANIFEST,
    REMOVED_THEN,
    ROWS,
    ROWS_SCHEMA,
    SCORES,
    VECTORS,
    IndexManifest,
    index_base,
    index_folder,
    remove_index,
)
from pipeline.search.index_writer import write_index
from schemas.console.errors import DatasetError, UserError
from schemas.console.terminal import say
from schemas.manifests import read_json
from schemas.sole_writer import PATIENCE_SECONDS, sole_writer
from schemas.storage.files import download, exists, is_remote, local_path, make_folder, sha256_of
from schemas.storage.stored_tables import read_stored_table
from schemas.tables import REMOVED
from schemas.tags import Tags


@dataclasses.dataclass(frozen=True, eq=False)
class Index:
    """An open index.

    Attributes:
        uri: What the paths of its files begin with.
        tags: Names of the tags, in the order of the scores.
        vectors: Embeddings.
        scores: Scores.
        rows: A table of schema ROWS_SCHEMA without the hashes.
        norms: float64 [rows], norms of the embeddings.
        sha256: SHA-256 of the index's manifest.
    """

    uri: str
    tags: tuple[str, ...]
    vectors: BlockMatrix
    scores: BlockMatrix
    rows: pa.Table
    norms: npt.NDArray[np.float64]
    sha256: str

    def row_of(self, track_id: str) -> int | None:
        """The row of a track; None if it has none."""
        row = pc.index(self.rows["track_id"], track_id).as_py()
        return None if row < 0 else int(row)

    def pcm_sha256(self) -> pa.ChunkedArray:
        """Hash of the waveform of each row. It takes longest to read, and few searches need it."""
        return _rows(self.uri, ["pcm_sha256"])["pcm_sha256"]


def _rows(base: str, columns: list[str]) -> pa.Table:
    try:
        return read_stored_table(
            base + ROWS, ROWS_SCHEMA, what="the rows of an index", advice="remove it", columns=columns
        )
    except DatasetError as error:
        raise DamagedIndexError(str(error)) from error


def require_embeddings(tags: Tags) -> None:
    """Raise UserError if the tags hold scores only."""
    if not tags.manifest.embeddings:
        raise UserError(
            f"{tags.layout.root}: expected tags with embeddings, these were made with --no-embeddings; tag into another folder "
            "without that option"
        )


@contextlib.contextmanager
def open_index(tags: Tags) -> Iterator[Index]:
    """The index of tags, which is made first if there is none of them as they are, or if it is damaged.

    Raises:
        UserError: The tags have no embeddings, or the index cannot be written beside them.
        DatasetError: The tags are damaged.
        DamagedIndexError: The index was damaged again while it was read.
    """
    require_embeddings(tags)
    with contextlib.ExitStack() as stack:
        try:
            found = _opened(tags, stack)
        except DamagedIndexError as damage:
            say(f"warning: {damage}; the index is made again", file=sys.stderr, level="warning")
            remove_index(tags)
            found = None
        yield found or _made(tags, stack)


def _made(tags: Tags, stack: contextlib.ExitStack) -> Index:
    folder = index_folder(tags)
    try:
        make_folder(folder)
        with sole_writer(folder, "index", patience=PATIENCE_SECONDS):
            found = _opened(tags, stack)  # another command may have made it meanwhile
            if found is None:
                write_index(tags)
    except OSError as error:
        raise UserError(f"{folder}: the index cannot be written there: {error.strerror or error}") from error
    found = found or _opened(tags, stack)
    if found is None:
        raise DamagedIndexError(f"{folder}: the index vanished while it was made; run the command again")
    return found


def _opened(tags: Tags, stack: contextlib.ExitStack) -> Index | None:
    """The index as it lies there; None if it must be made. Raises DamagedIndexError."""
    base = index_base(tags)
    if not exists(base + MANIFEST):
        return None
    removed = tags.removed()["track_id"].combine_chunks()
    try:
        manifest = IndexManifest.from_dict(
            read_json(base + MANIFEST, "the manifest of an index"), where=base + MANIFEST
        )
        rows = _rows(base, [name for name in ROWS_SCHEMA.names if name != "pcm_sha256"])
        then = read_stored_table(
            base + REMOVED_THEN, REMOVED, what="the removed tracks of an index", advice="remove it"
        )
        model = tags.manifest.model
        if (manifest.model_sha256, manifest.generations) != (model.sha256, tags.identity()):
            raise DamagedIndexError(f"{base}{MANIFEST}: the index of other tags")
        if (manifest.width, manifest.tags, manifest.rows) != (model.embedding, len(model.tags), rows.num_rows):
            raise DamagedIndexError(f"{base}{MANIFEST}: its numbers are not those of its rows and of the model")
        if sha256_of(base + ROWS) != manifest.rows_sha256:
            raise DamagedIndexError(f"{base}{ROWS}: the rows of another index")
        if not pc.all(pc.is_in(then["track_id"], value_set=removed), min_count=0).as_py():
            return None  # tracks came back that it lacks
        sizes = {
            VECTORS: (manifest.rows, manifest.width, manifest.vectors_crc32c),
            SCORES: (manifest.rows, manifest.tags, manifest.scores_crc32c),
        }
        vectors, scores = (
            BlockMatrix.open(_local(base + ending, stack), *size, uri=base + ending) for ending, size in sizes.items()
        )
    except DamagedIndexError:
        raise
    except (DatasetError, FileNotFoundError, ValueError) as error:
        raise DamagedIndexError(str(error)) from error
    digest = hashlib.sha256(manifest.to_bytes()).hexdigest()
    return Index(base, model.tags, vectors, scores, rows, rows["norm"].to_numpy(), digest)


def _local(uri: str, stack: contextlib.ExitStack) -> str:
    """A path of a file that can be mapped: a copy of one in a store."""
    if not is_remote(uri):
        return local_path(uri)
    path = os.path.join(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagscale-index-")), "matrix")
    download(uri, path)
    return path
