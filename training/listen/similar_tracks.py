"""The tracks of a catalog that sound like a song: the command `similar` finds them, in a process of its own."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sys
from typing import IO, Any

import pyarrow.compute as pc

import schemas
from pipeline.audio.file_endings import has_audio_ending
from schemas.console.errors import TagscaleError, UserError
from schemas.console.shown_commands import pipeline_command
from schemas.model_hash import model_hash
from schemas.storage.files import is_remote, local_path
from schemas.tags import Tags
from training.listen.heard import open_path

COUNT = 10
_SEARCH_SECONDS = 300.0  # the first search also makes the index


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


def require_index(index: str, model_uri: str) -> None:
    """Check that tags can be searched by a model.

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


async def similar_tracks(index: str, model_uri: str, name: str, upload: IO[bytes]) -> SimilarTracks:
    """Search the tracks that are nearest to a song.

    Args:
        index: folder of the tags.
        model_uri: the model that made them.
        name: of the song, for messages.
        upload: the song.

    Raises:
        TagscaleError: the search failed or took too long; the message is that of `similar`.
    """
    path = open_path(upload)
    words = ["--index", index, "--file", path, "--model", model_uri, "--count", str(COUNT), "--json"]
    root = os.path.dirname(os.path.dirname(os.path.abspath(schemas.__file__)))
    inherited = os.environ.get("PYTHONPATH")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pipeline.run", "similar", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": root if not inherited else os.pathsep.join((root, inherited))},
    )
    try:
        async with asyncio.timeout(_SEARCH_SECONDS):
            printed, said = await process.communicate()
    except TimeoutError:
        raise TagscaleError(f"the search took longer than {_SEARCH_SECONDS:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        last = (said.decode(errors="replace").strip().splitlines() or ["the search ended without a word"])[-1]
        raise TagscaleError(last.removeprefix("error: ").replace(f"--file: {path}", name).replace(path, name))
    return _parsed(json.loads(printed))


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
