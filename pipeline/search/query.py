"""What is searched for: the embedding of a stored track, or of an audio file that the model scores now."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from pipeline.audio.causes import TrackRejected, reject_message
from pipeline.audio.isolation import DecodingProcess
from pipeline.search.index import Index
from pipeline.tagging.inference import Inference
from pipeline.tagging.model_files import read_model, runtime_for
from pipeline.tagging.shards import TagShardJob, add_patches
from pipeline.tagging.track_scores import TrackScores
from pipeline.tagging.track_sources import DecodedTracks
from schemas.console.errors import UserError, did_you_mean
from schemas.storage.files import absolute
from schemas.tags import Tags

_COMPARED = 20_000  # ids among which a similar one is looked for; each takes some microseconds


@dataclasses.dataclass(frozen=True, eq=False)
class Query:
    """What is searched for.

    Attributes:
        embedding: float16 [width].
        scores: float16 [tags].
        pcm_sha256: Hash of the waveform of a file; None for a track, whose hash is in the index.
        row: Its row in the index; None for a file.
        group: Its group; None for a file.
    """

    embedding: npt.NDArray[np.float16]
    scores: npt.NDArray[np.float16]
    pcm_sha256: str | None = None
    row: int | None = None
    group: str | None = None


def query_of_track(tags: Tags, index: Index, track_id: str, removed: frozenset[str]) -> Query:
    """The stored embedding of a track.

    Args:
        tags: The tags.
        index: Their index.
        track_id: Id of the track.
        removed: Ids of removed tracks.

    Raises:
        UserError: The track has no embedding there.
        DamagedIndexError: The index is not the one written.
    """
    row = None if track_id in removed else index.row_of(track_id)
    if row is None:
        raise UserError(f"--track: {_absence(tags, index, track_id, removed)}")
    facts = index.rows.slice(row, 1).to_pylist()[0]
    place = np.array([row])
    return _checked(
        Query(
            embedding=index.vectors.rows(place)[0],
            scores=index.scores.rows(place)[0],
            row=row,
            group=facts["group"],
        ),
        f"--track: {track_id!r}",
    )


def _absence(tags: Tags, index: Index, track_id: str, removed: frozenset[str]) -> str:
    """Why a track has no embedding."""
    root = tags.layout.root
    if track_id in removed:
        return f"{track_id!r} was removed from {root}"
    tracks = tags.newest_tracks(["cause", "message"])
    found = tracks.filter(pc.equal(tracks["track_id"], track_id)).to_pylist()
    if found and found[0]["cause"] is not None:
        return f"{track_id!r} has no embedding in {root}: it was rejected as {found[0]['cause']}: {found[0]['message']}"
    if found:
        return f"{track_id!r} has an embedding in {root} that is too large for float16"
    ids = index.rows["track_id"].slice(0, _COMPARED).to_pylist()
    near = did_you_mean(track_id, (name for name in ids if name not in removed))
    return f"expected the id of a track in {root}, received {track_id!r}{near}"


def query_of_file(tags: Tags, file: str, model_uri: str) -> Query:
    """The embedding of an audio file, decoded in a process of its own and scored as `tag` scores a catalog.

    Args:
        tags: The tags.
        file: The file, local or in a store.
        model_uri: The model that made the tags.

    Raises:
        UserError: It is another model, or the file cannot be decoded or scored.
    """
    model, root = read_model(model_uri, runtime_for(model_uri)), tags.layout.root
    held = tags.manifest.model
    if model.entry.sha256 != held.sha256:
        raise UserError(
            f"{root}: its embeddings are those of another model ({held.labels}, {held.sha256[:12]}), received {model_uri} "
            f"({model.entry.labels}, {model.entry.sha256[:12]}); give --model the one with which the catalog was tagged"
        )
    job = TagShardJob(dataset=root, generation=0, model=model, spec=tags.manifest.spec)
    row: dict[str, Any] = {}
    try:
        with Inference(model, job.batch) as inference, DecodingProcess(job.logmel_spec, job.decoder) as decoding:
            scores = TrackScores(inference)
            tracks = DecodedTracks(decoding, job.spec, "")
            with tracks.shard(0) as open_track:
                add_patches(scores, 0, *open_track({"uri": absolute(file)}, row), model.entry.patch)
                scores.finish()
            outputs = scores.of(0).astype(np.float16)  # as the tags hold those of their tracks
    except TrackRejected as rejected:
        raise UserError(f"--file: {file}: {rejected.cause}: {reject_message(rejected, file)}") from rejected
    count = len(held.tags)
    return _checked(Query(outputs[count:], outputs[:count], row["pcm_sha256"]), f"--file: {file}")


def query_of_embedding(embedding: npt.NDArray[np.float16], scores: npt.NDArray[np.float16], name: str) -> Query:
    """An embedding that was made elsewhere, by the model that made the tags.

    Args:
        embedding: float16 [width].
        scores: float16 [tags].
        name: What it is of, for errors.

    Raises:
        UserError: Nothing is near it.
    """
    return _checked(Query(embedding, scores), name)


def _checked(query: Query, what: str) -> Query:
    if not np.isfinite(query.embedding).all():
        raise UserError(f"{what}: its embedding is too large for float16, so nothing is near it")
    if not query.embedding.any():
        raise UserError(f"{what}: its embedding is all zeros (is it silent?), so no track is nearer to it than another")
    return query
