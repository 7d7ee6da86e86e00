"""Verify that tags are complete: every planned track has one row of scores or one reject, and every file is the one named."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.jobs.tracks_problems import tracks_problems
from schemas.console.errors import DatasetError, TagscaleError
from schemas.console.report import Line, Report, heading, problem
from schemas.manifests import GenerationEntry
from schemas.storage.files import exists, sha256_of
from schemas.stored_scores import read_scores
from schemas.tables import REMOVED
from schemas.tags import Tags

_READERS = 8  # files read in parallel


@dataclasses.dataclass(frozen=True)
class TagsVerified:
    """Results of a verification.

    Attributes:
        problems: Problems, one line each; empty if everything reconciles.
        tracks: Number of planned tracks in all generations.
        records: Number of tracks with scores.
        rejects: Number of tracks rejected.
        files: Number of files with scores.
        bytes: Their size in bytes.
        under_way: Progress of an unfinished generation, which was not checked; None if there is none.
    """

    problems: tuple[str, ...]
    tracks: int
    records: int
    rejects: int
    files: int
    bytes: int
    under_way: str | None


def verify_tags(root: str, *, on_progress: Callable[[int, int], None] | None = None) -> TagsVerified:
    """Check the files of a folder of tags against each other, and that every score is a number from 0 to 1.

    >>> from pipeline import verify_tags
    >>> report = verify_tags("tags")
    >>> report.records, report.problems
    (36, ())

    Args:
        root: Folder of the tags.
        on_progress: Called with the number of files checked and the total.

    Raises:
        UserError: There are no tags there, or their first generation is unfinished.
        DatasetError: Their manifest is damaged, without which nothing else can be checked.
    """
    tags = Tags.open(root)
    problems: list[str] = []
    generations = tags.manifest.generations
    try:
        removed = tags.removed()
    except DatasetError as error:
        problems.append(str(error))
        removed = REMOVED.empty_table()
    purged = removed["track_id"].filter(removed["purged"]).combine_chunks()
    total, done, size = sum(entry.shards for entry in generations), 0, 0
    for entry in generations:
        try:
            tracks = tags.tracks_of(entry.generation)
        except DatasetError as error:
            problems.append(str(error))
            continue
        bounds = np.searchsorted(tracks["shard"].to_numpy(), np.arange(entry.shards + 1))
        problems += tracks_problems(tags, entry, tracks, bounds)
        for found in _checked_shards(tags, entry, tracks, bounds, purged):
            if isinstance(found, str):
                problems.append(found)
            else:
                size += found
            done += 1
            if on_progress is not None:
                on_progress(done, total)
    return TagsVerified(
        problems=tuple(problems),
        tracks=sum(entry.tracks for entry in generations),
        records=sum(entry.records or 0 for entry in generations),
        rejects=sum(sum((entry.rejects or {}).values()) for entry in generations),
        files=done,
        bytes=size,
        under_way=tags.under_way_words(),
    )


def _checked_shards(
    tags: Tags, entry: GenerationEntry, tracks: pa.Table, bounds: npt.NDArray[np.int64], purged: pa.Array
) -> Iterator[int | str]:
    def check(shard: int) -> int | str:
        rows = tracks.slice(bounds[shard], bounds[shard + 1] - bounds[shard])
        try:
            return _check(tags, entry.generation, shard, rows, purged)
        except TagscaleError as error:
            return str(error)

    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        yield from readers.map(check, range(entry.shards))


def _check(tags: Tags, generation: int, shard: int, rows: pa.Table, purged: pa.Array) -> int:
    """Size of a shard's scores; raises DatasetError unless they match the done mark and the tracks table."""
    uri, mark = tags.scores(generation, shard)
    part = tags.layout.tracks_part(generation, shard)
    if exists(part) and sha256_of(part) != mark.tracks_sha256:
        raise DatasetError(f"{part}: not the tracks part that the done mark of {uri} names")
    table = read_scores(tags, generation, shard)
    stored = rows.filter(pc.and_(pc.is_valid(rows["record"]), pc.invert(pc.is_in(rows["track_id"], value_set=purged))))
    if (mark.records, mark.tracks) != (stored.num_rows, rows.num_rows):
        raise DatasetError(
            f"{uri}: its done mark counts {mark.records} of {mark.tracks} tracks, found {stored.num_rows} of {rows.num_rows}"
        )
    if table["track_id"] != stored["track_id"] or table["seconds"] != stored["seconds"]:
        raise DatasetError(f"{uri}: its tracks are not those of the tracks table, in its order")
    scores = table["scores"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if not ((scores >= 0) & (scores <= 1)).all():
        raise DatasetError(f"{uri}: expected scores from 0 to 1, found others")
    return mark.bytes


def tags_report(found: TagsVerified, root: str) -> Report:
    """Counts, and each problem."""
    return Report.of(_parts(found, root))


def _parts(found: TagsVerified, root: str) -> Iterator[Line]:
    yield heading(
        f"{root}: {found.tracks:,} tracks = {found.records:,} scored + {found.rejects:,} rejects; {found.files:,} files, "
        f"{found.bytes / 1e6:,.1f} MB"
    )
    if found.under_way is not None:
        yield Line(f"  {found.under_way}, and was not looked at")
    yield from map(problem, found.problems)
    if not found.problems:
        yield Line("everything reconciles")
