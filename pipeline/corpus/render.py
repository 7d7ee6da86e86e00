"""Render the demonstration corpus from a seed: audio files, a catalog and annotations.

out/catalog.csv        track_id, uri (relative to the folder), group (the artist), duration (seconds)
out/annotations.csv    track_id, tag: one row per tag
out/audio/             mp3, ogg, flac and wav in rotation
out/corpus.json        parameters and counts; written last, so it marks the corpus complete
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Final

from pipeline.corpus.arrangement import arrange
from pipeline.corpus.artists import artist, artist_numbers
from pipeline.corpus.composition import compose
from pipeline.corpus.encoding import choose_encoding, encode
from pipeline.corpus.mixing import choose_mix, mix_down
from pipeline.corpus.synthesis import play, soundfont, synthesizer
from pipeline.corpus.tags import TAGS, tags_of
from schemas.console.errors import UserError
from schemas.storage.files import is_remote, local_path, read_bytes, remove, write_atomic

CORPUS_VERSION: Final = 1  # raised by hand when the same parameters yield other music
SHORTEST: Final = 2.0  # seconds; a shorter slow piece would end before the response to the call
AUDIO_FOLDER: Final = "audio"
CATALOG: Final = "catalog.csv"
ANNOTATIONS: Final = "annotations.csv"
MANIFEST: Final = "corpus.json"
UNFINISHED: Final = "corpus.unfinished.json"  # the parameters of a corpus that is being rendered


@dataclass(frozen=True)
class CorpusParameters:
    """The parameters that determine a corpus.

    Attributes:
        tracks: Number of tracks.
        seed: Seed of all random choices.
        seconds: Length of each track in seconds.
        version: Version of the composer.
    """

    tracks: int
    seed: int
    seconds: float
    version: int = CORPUS_VERSION


@dataclass(frozen=True)
class CorpusSummary:
    """The contents of a corpus.

    Attributes:
        out: Folder of the corpus.
        parameters: Parameters from which it was made.
        artists: Number of groups to which the tracks belong.
        annotations: Number of rows in annotations.csv.
        tags: Number of tracks per tag, in the order of `tags.TAGS`; only tags that occur.
        formats: Number of tracks per file format.
        audio_bytes: Total size of the audio files in bytes.
        existed: True if the corpus was already complete and nothing was done.
    """

    out: str
    parameters: CorpusParameters
    artists: int
    annotations: int
    tags: dict[str, int]
    formats: dict[str, int]
    audio_bytes: int
    existed: bool


@dataclass(frozen=True)
class _Track:
    """Result of rendering a track: its rows in the tables, without its sound."""

    track_id: str
    uri: str
    group: str
    tags: tuple[str, ...]
    audio_bytes: int


def render_corpus(
    out: str,
    tracks: int,
    seed: int,
    seconds: float = 30.0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CorpusSummary:
    """Render a labelled corpus, unless it already exists.

    The same tracks, seed and seconds give the same bytes in every file, with any number of workers; a larger corpus begins
    with the tracks of a smaller one. The same call restarts a rendering that was stopped.

    Args:
        out: A local folder: new, empty, or with a corpus made with the same parameters.
        tracks: Number of tracks, 1 or more.
        seed: Seed, 0 or more.
        seconds: Length of each track in seconds, 2 or more.
        workers: Number of processes; None for one per CPU.
        progress: Called with (tracks done, total tracks) as tracks are finished.

    Returns:
        The contents of the corpus, and whether it already existed.

    Raises:
        UserError: a parameter is out of range, the folder holds other files, or the renderer is not installed.
    """
    parameters = _checked(CorpusParameters(tracks, seed, float(seconds)))
    if workers is not None and workers < 1:
        raise UserError(f"Expected 1 worker or more. Received: workers={workers}. Leave it out to use every CPU.")
    if is_remote(out):
        raise UserError(
            f"Expected a local folder for the corpus. Received: {out}. Render it locally, then copy the folder there."
        )
    folder = local_path(out)
    if complete := _complete_corpus(folder, parameters):
        return complete
    synthesizer(), soundfont()  # raises for missing packages once, before anything is written

    os.makedirs(os.path.join(folder, AUDIO_FOLDER), exist_ok=True)
    write_atomic(os.path.join(folder, UNFINISHED), _json(asdict(parameters)))
    rendered = []
    for track in _render_all(folder, parameters, workers or os.cpu_count() or 1):
        rendered.append(track)
        if progress is not None:
            progress(len(rendered), tracks)

    summary = _summary(out, parameters, rendered)
    write_atomic(
        os.path.join(folder, CATALOG),
        _table(
            ("track_id", "uri", "group", "duration"),
            ((track.track_id, track.uri, track.group, parameters.seconds) for track in rendered),
        ),
    )
    write_atomic(
        os.path.join(folder, ANNOTATIONS),
        _table(("track_id", "tag"), ((track.track_id, tag) for track in rendered for tag in track.tags)),
    )
    content = {name: value for name, value in asdict(summary).items() if name not in ("out", "existed")}
    write_atomic(os.path.join(folder, MANIFEST), _json(content))
    remove(os.path.join(folder, UNFINISHED))
    return summary


def render_track(folder: str, parameters: CorpusParameters, track: int, artist_number: int) -> _Track:
    """Compose, play, mix, encode and write one track.

    Args:
        folder: Folder of the corpus, in which the audio folder exists.
        parameters: Parameters of the corpus.
        track: Number of the track, from 0.
        artist_number: Number of the track's artist.

    Returns:
        The track's rows in the tables.
    """
    seed, seconds = parameters.seed, parameters.seconds
    player = artist(seed, artist_number)
    arrangement = arrange(seed, track, player)
    piece = compose(seed, arrangement, seconds)
    mix = choose_mix(seed, track, player)
    sounds = [(part, play(part, seconds, piece.tuning, mix.sample_rate)) for part in piece.parts]
    encoding = choose_encoding(seed, track)
    data = encode(mix_down(seed, mix, sounds), mix.sample_rate, encoding, serial=track)
    track_id = f"demo-{track:05d}"
    uri = f"{AUDIO_FOLDER}/{track_id}.{encoding.extension}"
    with open(os.path.join(folder, uri), "wb") as file:
        file.write(data)
    return _Track(track_id, uri, player.name, tags_of(arrangement), len(data))


def _render_all(folder: str, parameters: CorpusParameters, workers: int) -> Iterator[_Track]:
    """Render every track in the order of their numbers."""
    numbers = range(parameters.tracks)
    artists = artist_numbers(parameters.seed, parameters.tracks)
    workers = min(workers, parameters.tracks)
    if workers == 1:
        for track in numbers:
            yield render_track(folder, parameters, track, artists[track])
        return
    with ProcessPoolExecutor(workers) as pool:
        folders, same = [folder] * parameters.tracks, [parameters] * parameters.tracks
        yield from pool.map(render_track, folders, same, numbers, artists)


def _checked(parameters: CorpusParameters) -> CorpusParameters:
    """The parameters, if they are valid."""
    if parameters.tracks < 1:
        raise UserError(f"Expected 1 track or more. Received: tracks={parameters.tracks}.")
    if parameters.seed < 0:
        raise UserError(f"Expected a seed of 0 or more. Received: seed={parameters.seed}.")
    if not SHORTEST <= parameters.seconds < float("inf"):
        raise UserError(f"Expected tracks of {SHORTEST:g} s or more. Received: seconds={parameters.seconds:g}.")
    return parameters


def _complete_corpus(folder: str, parameters: CorpusParameters) -> CorpusSummary | None:
    """The corpus in a folder if it is complete, None if it must be rendered; raises for files that would be overwritten."""
    if not folder:
        raise UserError("--out: expected a folder. Received: an empty path. Name one.")
    if not os.path.exists(folder):
        return None
    if not os.path.isdir(folder):
        raise UserError(f"Expected a folder. Received: {folder}, a file. Give another --out.")
    for name in (MANIFEST, UNFINISHED):
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            continue
        content = _read_json(path)
        found = content.get("parameters", content)
        if found != asdict(parameters):
            raise UserError(
                f"Expected a new folder, or a corpus with {asdict(parameters)}. Received: {folder}, "
                f"made with {found}. Give another --out, or delete the folder."
            )
        if name == UNFINISHED:
            return None
        return CorpusSummary(**{**content, "out": folder, "parameters": parameters, "existed": True})
    if os.listdir(folder):
        raise UserError(
            f"Expected a new or an empty folder. Received: {folder}, which holds other files. Give another --out."
        )
    return None


def _read_json(path: str) -> dict[str, Any]:
    """The object in a JSON file of a corpus."""
    try:
        content = json.loads(read_bytes(path))
    except ValueError as error:
        raise UserError(f"Expected JSON in {path}. Received: {error}. Delete the folder and render again.") from error
    if not isinstance(content, dict):
        raise UserError(f"Expected a JSON object in {path}. Received: {content!r}. Delete the folder and render again.")
    return content


def _summary(out: str, parameters: CorpusParameters, rendered: Sequence[_Track]) -> CorpusSummary:
    """Count the rendered tracks."""
    played = Counter(tag for track in rendered for tag in track.tags)
    return CorpusSummary(
        out=out,
        parameters=parameters,
        artists=len({track.group for track in rendered}),
        annotations=played.total(),
        tags={tag: played[tag] for tag in TAGS if played[tag]},
        formats=dict(sorted(Counter(track.uri.rsplit(".", 1)[1] for track in rendered).items())),
        audio_bytes=sum(track.audio_bytes for track in rendered),
        existed=False,
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file. It is input to commands, so its cells are exact and not escaped as in `schemas.user_files.spreadsheet`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _json(content: dict[str, Any]) -> bytes:
    """A JSON file."""
    return (json.dumps(content, indent=2) + "\n").encode()
