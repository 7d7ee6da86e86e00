"""Put the scores of the common tracks beside each other, as steps (`training.shipping_diff.float16_steps`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.console.errors import DatasetError
from schemas.console.shown_commands import pipeline_command
from schemas.layout import generation_name, shard_name
from schemas.tag_shards import by_place, matrix, read_shards
from schemas.tags import Tags
from training.shipping_diff.common_tracks import side_tracks
from training.shipping_diff.float16_steps import steps_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BATCH = 16_384  # tracks handed to DuckDB at a time


def store_pairs(database: DuckDBPyConnection, old: Tags, new: Tags, tags: Sequence[str], tracks: int) -> None:
    """Make the table `pairs`: `number`, and for tag i the steps `old_i` and `new_i` of the two scores.

    The old scores of all tracks are in memory at once, two bytes each.

    Args:
        database: Where to make it, with the table `common`.
        old: The tags in use.
        new: The tags that may replace them.
        tags: Names of the common tags.
        tracks: Number of common tracks.

    Raises:
        DatasetError: A file of scores is damaged, or a score is not a number from 0 to 1.
    """
    # DuckDB answers nothing else while it reads, so both questions come first.
    places_old, places_new = (by_place(side_tracks(database, side)) for side in ("old", "new"))
    before = np.empty((tracks, len(tags)), np.uint16)
    for numbers, steps in _steps(old, places_old, tags, "read old"):
        before[numbers] = steps
    names = [f"{side}_{place}" for side in ("old", "new") for place in range(len(tags))]
    schema = pa.schema([("number", pa.int32()), *((name, pa.uint16()) for name in names)])

    def batches() -> Iterator[pa.RecordBatch]:
        for numbers, after in _gathered(_steps(new, places_new, tags, "read new")):
            columns = np.ascontiguousarray(np.concatenate([before[numbers], after], axis=1).T)
            yield pa.record_batch([pa.array(numbers), *map(pa.array, columns)], schema=schema)

    problems: list[DatasetError] = []
    database.register("read", pa.RecordBatchReader.from_batches(schema, _noting(batches(), problems)))
    try:
        database.execute("CREATE TABLE pairs AS FROM read")
    except Exception as error:
        raise problems[0] if problems else error from error
    finally:
        database.unregister("read")


def _noting(batches: Iterator[Any], problems: list[DatasetError]) -> Iterator[Any]:
    """Keep what goes wrong while DuckDB reads, which tells no more of it than its words."""
    try:
        yield from batches
    except DatasetError as error:
        problems.append(error)
        raise


_Part = tuple[npt.NDArray[np.int32], npt.NDArray[np.uint16]]


def _steps(tags: Tags, tracks: pa.Table, names: Sequence[str], what: str) -> Iterator[_Part]:
    """Numbers of tracks, int32 [tracks], and their steps, uint16 [tracks, tags], shard by shard."""
    known = tags.manifest.model.tags
    columns = [known.index(name) for name in names]
    all_columns = columns == list(range(len(known)))
    for rows, table in read_shards(tags, tracks, ("scores",), what=what):
        scores = matrix(table["scores"])
        try:
            steps = steps_of(scores if all_columns else scores[:, columns])
        except ValueError as error:
            place = f"{generation_name(rows['generation'][0].as_py())}/{shard_name(rows['shard'][0].as_py())}"
            check = pipeline_command("verify", "--tags", tags.layout.root)
            raise DatasetError(f"{tags.layout.root}: scores/{place}: {error}; see `{check}`") from error
        yield rows["number"].to_numpy(), steps


def _gathered(parts: Iterator[_Part]) -> Iterator[_Part]:
    """The same in parts of some thousand tracks, which DuckDB takes much faster than small ones."""
    held: list[_Part] = []
    for part in parts:
        held.append(part)
        if sum(len(numbers) for numbers, _ in held) >= _BATCH:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(parts: list[_Part]) -> _Part:
    return np.concatenate([numbers for numbers, _ in parts]), np.concatenate([steps for _, steps in parts])
