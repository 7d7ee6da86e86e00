"""Find the tracks nearest to a track or an audio file. The command calls `similar`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.search.block_matrix import DamagedIndexError
from pipeline.search.filters import ScoreFilter, parse_filter, passing, without
from pipeline.search.graph_files import open_graphs
from pipeline.search.graphs import can_name, nearest_by_graphs
from pipeline.search.index import Index, open_index, require_embeddings
from pipeline.search.index_files import remove_index
from pipeline.search.nearest import nearest
from pipeline.search.query import Query, query_of_file, query_of_track
from schemas.console.errors import UserError
from schemas.console.terminal import say
from schemas.tags import Tags

TOP_TAGS = 3  # tags named of each track
EXACT_UP_TO = 1_000_000  # tracks; so many of 500 values are compared within a second


@dataclasses.dataclass(frozen=True)
class Track:
    """A track, or the audio file that was asked about.

    Attributes:
        track_id: Id of the track; None for a file.
        group: Its group; None for a file.
        top_tags: Its highest scores, the highest first.
        place: Generation and shard of its tags; None for a file.
    """

    track_id: str | None
    group: str | None
    top_tags: tuple[tuple[str, float], ...]
    place: tuple[int, int] | None


@dataclasses.dataclass(frozen=True)
class Neighbour(Track):
    """A track that was found.

    Attributes:
        rank: 1 for the nearest.
        similarity: Cosine of the angle between its embedding and that of the query, from -1 to 1.
    """

    rank: int
    similarity: float


@dataclasses.dataclass(frozen=True)
class Similar:
    """Results of a search.

    Attributes:
        tags: Folder of the tags.
        query: What was asked about.
        file: The audio file that was asked about; None for a track.
        filters: The filters, as text.
        tracks: Number of tracks with embeddings that are not removed.
        passing: Number of those among which was searched.
        exact: Whether all of them were compared, so that no other is nearer.
        neighbours: The nearest, the nearest first.
        missing_source: The dataset whose tracks were tagged if it is not there, so that it cannot say what was removed from
            it; None otherwise.
    """

    tags: str
    query: Track
    file: str | None
    filters: tuple[str, ...]
    tracks: int
    passing: int
    exact: bool
    neighbours: tuple[Neighbour, ...]
    missing_source: str | None


@dataclasses.dataclass(frozen=True)
class SimilarOptions:
    """Options of a search; see `pipeline.run similar --help`.

    >>> from pipeline import SimilarOptions
    >>> SimilarOptions(conditions=["rock>0.5"]).count
    10

    Attributes:
        count: Number of tracks to find.
        conditions: Conditions on scores, such as `rock>0.5`, all of which a track must meet.
        not_same_group: Leave out tracks of the query's group.
        not_same_audio: Leave out tracks that have the very audio of the query.
        exact: Compare every track, however many there are.
        exact_up_to: Number of tracks up to which every one is compared in any case.
    """

    count: int = 10
    conditions: Sequence[str] = ()
    not_same_group: bool = False
    not_same_audio: bool = False
    exact: bool = False
    exact_up_to: int = EXACT_UP_TO

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"--count: expected at least 1, received {self.count}")

    def compares_all(self, rows: int) -> bool:
        """Whether a search over an index with so many rows compares all that pass: else a filter could leave too few."""
        is_filtered = bool(self.conditions) or self.not_same_group or self.not_same_audio
        return self.exact or is_filtered or rows <= self.exact_up_to

    @property
    def flags(self) -> tuple[str, ...]:
        """The filters that compare a track with the query, as text."""
        given = {"not the same group": self.not_same_group, "not the same audio": self.not_same_audio}
        return tuple(words for words, is_given in given.items() if is_given)


def similar(
    root: str,
    *,
    track: str | None = None,
    file: str | None = None,
    model: str | None = None,
    options: SimilarOptions | None = None,
) -> Similar:
    """Find the tracks whose embeddings are nearest by cosine among those that pass the filters.

    The result is exact, except for a search without filters over more tracks than `SimilarOptions.exact_up_to`.

    >>> from pipeline import SimilarOptions, similar
    >>> found = similar("tags", track="track-00", options=SimilarOptions(count=2, not_same_group=True))
    >>> [one.rank for one in found.neighbours], "track-00" in {one.track_id for one in found.neighbours}
    ([1, 2], False)

    Args:
        root: Folder of the tags.
        track: Id of a track in it, which is not among the results; or
        file: an audio file, and
        model: the model with which the catalog was tagged.
        options: Filters, and the number of tracks to find.

    Raises:
        UserError: There are no such tags or no embeddings in them, or the query or a filter is wrong.
        DatasetError: The tags are damaged.
    """
    options = options or SimilarOptions()
    if (track is None) == (file is None):
        raise UserError("expected either --track, a track of the index, or --file, an audio file")
    if (file is None) != (model is None):
        raise UserError(
            "expected --model, with which the catalog was tagged, together with --file"
            if file is not None
            else "--model: expected only with --file; the embedding of --track is in the index"
        )
    if file is not None and options.not_same_group:
        raise UserError("--not-same-group: expected only with --track; a file has no group")
    tags = Tags.open(root)
    conditions = tuple(parse_filter(text, tags.manifest.model.tags) for text in options.conditions)
    require_embeddings(tags)
    given = None if file is None or model is None else query_of_file(tags, file, model)

    def search() -> Similar:
        with open_index(tags) as index:
            query = given or query_of_track(tags, index, str(track), tags.removed_anywhere()[0])
            return search_index(tags, index, query, conditions, options, file=file)

    try:
        return search()
    except DamagedIndexError as damage:  # it is noticed where a damaged block is read
        say(f"warning: {damage}; the index is made again", file=sys.stderr, level="warning")
        remove_index(tags)
        return search()


def search_index(
    tags: Tags,
    index: Index,
    query: Query,
    conditions: tuple[ScoreFilter, ...],
    options: SimilarOptions,
    *,
    file: str | None = None,
) -> Similar:
    """Search an open index.

    Args:
        tags: The tags.
        index: Their index.
        query: What to search for.
        conditions: The conditions of the options, parsed.
        options: Filters, and the number of tracks to find.
        file: The audio file that is asked about; None for a track.

    Raises:
        DatasetError: What was removed from the tags cannot be read.
        DamagedIndexError: The index is not the one written.
    """
    removed, missing_source = tags.removed_anywhere()
    ids = index.rows["track_id"]
    stored = without(ids, pa.array(sorted(removed), pa.string())) if removed else np.ones(len(ids), bool)
    allowed = stored & passing(index, conditions)
    if options.not_same_group and query.group is not None:
        allowed &= without(index.rows["group"], pa.array([query.group]))
    if options.not_same_audio:
        hashes = index.pcm_sha256()
        audio = query.pcm_sha256 if query.row is None else hashes[query.row].as_py()
        allowed &= without(hashes, pa.array([audio] if audio else [], pa.string()))
    if query.row is not None:
        allowed[query.row] = False
    wanted = (index.vectors, index.norms, query.embedding, allowed, ids, options.count)
    is_approximate = not options.compares_all(len(ids)) and can_name(allowed, options.count)
    graphs = open_graphs(tags, index) if is_approximate else None
    likely = None if graphs is None else nearest_by_graphs(graphs, *wanted)
    rows, similarities = likely or nearest(*wanted)
    found = index.rows.select(["track_id", "group", "generation", "shard"]).take(pa.array(rows)).to_pylist()
    scores = index.scores.rows(rows)
    neighbours = tuple(
        Neighbour(**_facts(row), top_tags=_top_tags(index, values), rank=rank, similarity=float(similarity))
        for rank, (row, values, similarity) in enumerate(zip(found, scores, similarities, strict=True), start=1)
    )
    asked = _facts(None if query.row is None else index.rows.slice(query.row, 1).to_pylist()[0])
    return Similar(
        tags=tags.layout.root,
        query=Track(**asked, top_tags=_top_tags(index, query.scores)),
        file=file,
        filters=(*map(str, conditions), *options.flags),
        tracks=int(stored.sum()),
        passing=int(allowed.sum()),
        exact=likely is None,
        neighbours=neighbours,
        missing_source=missing_source,
    )


def _facts(row: dict[str, Any] | None) -> dict[str, Any]:
    if row is None:
        return {"track_id": None, "group": None, "place": None}
    return {"track_id": row["track_id"], "group": row["group"], "place": (row["generation"], row["shard"])}


def _top_tags(index: Index, scores: npt.NDArray[np.float16]) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-scores.astype(np.float64), kind="stable")[:TOP_TAGS].tolist()
    return tuple((index.tags[number], float(scores[number])) for number in order)
