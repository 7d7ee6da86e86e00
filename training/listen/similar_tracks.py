"""The tracks of a catalog that sound like a song: a process of the pipeline finds them, as the command `similar` does."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import pyarrow.compute as pc

from pipeline.audio.child_process import ChildEnded, ChildProcess
from pipeline.audio.file_endings import has_audio_ending
from schemas.console.errors import TagscaleError, UserError
from schemas.console.shown_commands import pipeline_command
from schemas.features import waveform_of
from schemas.model_hash import model_hash
from schemas.storage.files import is_remote, local_path
from schemas.tags import Tags
from training.listen.heard import HeardSong

COUNT = 10
_MODULE = "pipeline.search.search_process"  # started, not imported: this stage needs none of the pipeline's libraries
_SEARCH_SECONDS = 300.0  # the first search may have to wait for the index to be made


@dataclasses.dataclass(frozen=True)
class SimilarTracks:
    """The answer to a search.

    Attributes:
        rows: of the tracks, the nearest first: rank, similarity, track_id, group, tags, uri, and whether it can be played.
        missing_source: the tagged dataset if it is not there, so that it cannot say what was removed from it.
        paths: rank -> local file of a track that can be played.
    """

    rows: list[dict[str, Any]]
    missing_source: str | None
    paths: dict[int, str]


def require_index(index: str, model_uri: str) -> str:
    """Check that tags can be searched by a model; returns the excerpt that they are of, such as `full`.

    Raises:
        UserError: there are no such tags, they hold no embeddings, or another model made them.
        DatasetError: they are damaged.
    """
    tags = Tags.open(index)
    again = pipeline_command("tag", "--model", model_uri, "--out", "NEW", "--catalog", "FILE")
    if not tags.manifest.embeddings:
        raise UserError(f"--index: {index}: expected embeddings, found scores alone; make others: {again}")
    if tags.manifest.model.sha256 != model_hash(model_uri):
        raise UserError(
            f"--index: {index}: expected tags that {model_uri} made, found those of another model "
            f"({tags.manifest.model.labels}); give --model that one, or tag with this one: {again}"
        )
    if not pc.sum(tags.newest_tracks(["record"])["record"].is_valid()).as_py():
        raise UserError(f"--index: {index}: expected tagged tracks, found none; tag a catalog that has some: {again}")
    return waveform_of(tags.manifest.spec).excerpt


class SimilarSearch:
    """Searches tags in a process that keeps their index open, one song at a time.

    The process starts at once, so that the index is open, or made, before the first song is dropped.

    Args:
        index: folder of the tags.

    Attributes:
        index: the folder.
    """

    def __init__(self, index: str) -> None:
        self.index = index
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="searching")
        self._process: ChildProcess | None = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, and with it a search that is under way."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        self._thread.shutdown(cancel_futures=True)
        if self._process is not None:
            self._process.close()
            self._process = None

    async def near(self, song: HeardSong) -> SimilarTracks:
        """The tracks that are nearest to a song.

        Raises:
            TagscaleError: the search failed or took too long; the message is that of `similar`.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._near, song)

    def _near(self, song: HeardSong) -> SimilarTracks:
        if song.place is None:
            raise ValueError("Expected a song that was heard for a search.")
        process = self._process = self._process or self._start()
        values = {"embedding": song.place.embedding.tolist(), "scores": song.place.scores.tolist()}
        try:
            found = process.ask({**values, "count": COUNT, "name": song.facts["name"]})
        except ChildEnded as ended:
            self._process = None  # the next search starts another
            raise TagscaleError(ended.of("the search")) from None
        if "error" in found:
            raise TagscaleError(found["error"])
        return _parsed(found)

    def _start(self) -> ChildProcess:
        return ChildProcess(_MODULE, [f"--index={self.index}"], [], stall_seconds=_SEARCH_SECONDS)


def _parsed(found: dict[str, Any]) -> SimilarTracks:
    rows, paths = [], {}
    for row in found["results"]:
        path = playable_path(row["uri"])
        if path is not None:
            paths[row["rank"]] = path
        rows.append({**row, "plays": path is not None})
    return SimilarTracks(rows, found["missing_source"], paths)


def playable_path(uri: str | None) -> str | None:
    """The local audio file that a catalog names, without links; None if it is not one.

    A link to a file elsewhere counts as none: whoever may write into a folder of audio could otherwise have any file played.

    Args:
        uri: of a track's audio, absolute.
    """
    if uri is None or is_remote(uri):
        return None
    path = os.path.abspath(local_path(uri))
    real = os.path.realpath(path)
    is_in_place = os.path.dirname(real) == os.path.realpath(os.path.dirname(path))
    return real if is_in_place and has_audio_ending(real) and os.path.isfile(real) else None
