"""A second demonstration corpus: the same composer, but another synthesizer, soundfont and mixing.

The pieces of another seed are written as MIDI files and played by FluidSynth with FluidR3, through its own reverb and
chorus. The tags are those of the demonstration corpus, so a tagger that was trained on one can be tested on the other.
What the first has and this one lacks: parts of measured loudness (see `benchmarks.midi_files`), and broad boosts and cuts of
the spectrum. Both programs come from Debian: apt-get install fluidsynth fluid-soundfont-gm.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.midi_files import MOST, Effects, midi_bytes
from pipeline.corpus.arrangement import arrange
from pipeline.corpus.artists import artist, artist_numbers
from pipeline.corpus.composition import compose
from pipeline.corpus.encoding import choose_encoding, encode
from pipeline.corpus.mixing import Mix, choose_mix, levelled
from pipeline.corpus.seeding import stream
from pipeline.corpus.tags import tags_of
from schemas.console.errors import TagscaleError, UserError

PROGRAM = "fluidsynth"
SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
GAIN = 0.5  # of the synthesizer; the level of a track is set afterwards
ROOM_SIZES = (0.1, 0.8)  # of its reverb, dry to hall
REVERB_SENDS = (10, 100)  # of 127, dry to hall
MOST_CHORUS = 50  # of 127


def require_fluidsynth() -> str:
    """The path of the program; raises UserError if it or its soundfont is missing."""
    program = shutil.which(PROGRAM)
    if program is None or not SOUNDFONT.exists():
        missing = SOUNDFONT if program else PROGRAM
        raise UserError(
            f"corpus fluidsynth: expected the program {PROGRAM} and {SOUNDFONT}, received no {missing}; install them with "
            "`apt-get install fluidsynth fluid-soundfont-gm`, or choose another corpus"
        )
    return program


def render_with_fluidsynth(folder: Path, tracks: int, seed: int, seconds: float, workers: int | None = None) -> None:
    """Render the corpus into a folder: catalog.csv, annotations.csv and audio, as `pipeline.run corpus` does.

    A corpus of the same parameters that is there already is kept.

    Args:
        folder: folder of the corpus.
        tracks: number of tracks.
        seed: seed of all random choices.
        seconds: length of each track.
        workers: number of synthesizers at a time; None for one per core.

    Raises:
        UserError: the synthesizer or its soundfont is missing, or the folder holds another corpus.
        TagscaleError: the synthesizer failed.
    """
    program = require_fluidsynth()
    parameters = {"tracks": tracks, "seed": seed, "seconds": seconds}
    mark = folder / "corpus.json"
    if mark.exists():
        if (found := json.loads(mark.read_text())) != parameters:
            raise UserError(
                f"{folder}: expected a corpus of {parameters}, received one of {found}; choose another folder"
            )
        return
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    artists = artist_numbers(seed, tracks)
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        uris = list(
            pool.map(lambda track: _render(program, folder, seed, track, artists[track], seconds), range(tracks))
        )
    names = [artist(seed, number).name for number in artists]
    played = [tags_of(arrange(seed, track, artist(seed, artists[track]))) for track in range(tracks)]
    rows = ((_track_id(track), uris[track], names[track], seconds) for track in range(tracks))
    _write_table(folder / "catalog.csv", ("track_id", "uri", "group", "duration"), rows)
    labels = ((_track_id(track), tag) for track in range(tracks) for tag in played[track])
    _write_table(folder / "annotations.csv", ("track_id", "tag"), labels)
    mark.write_text(json.dumps(parameters))  # last: it marks the corpus complete


def play(program: str, midi: bytes, sample_rate: int, room_size: float) -> npt.NDArray[np.float32]:
    """Play a MIDI file.

    Args:
        program: path of FluidSynth.
        midi: the file's bytes.
        sample_rate: sample rate in Hz.
        room_size: of the reverb, 0 to 1.

    Returns:
        float32 [samples, 2]; longer than the piece by the decay of the last notes.

    Raises:
        TagscaleError: the program failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        score, sound, settings = (Path(scratch, name) for name in ("score.mid", "sound.raw", "settings"))
        score.write_bytes(midi)
        settings.touch()  # instead of the user's own settings
        options = {
            "synth.dynamic-sample-loading": 1,
            "synth.cpu-cores": 1,
            "synth.reverb.room-size": f"{room_size:.3f}",
        }
        command = [program, "-n", "-i", "-q", "-f", str(settings), "-r", str(sample_rate), "-g", str(GAIN)]
        command += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        command += ["-T", "raw", "-O", "float", "-E", "little", "-F", str(sound), str(SOUNDFONT), str(score)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode or not sound.exists() or not sound.stat().st_size:
            words = " ".join((done.stderr or done.stdout).split())
            raise TagscaleError(f"{PROGRAM}: expected a sound, received exit code {done.returncode}: {words[:300]}")
        return np.fromfile(sound, "<f4").reshape(-1, 2)


def _render(program: str, folder: Path, seed: int, track: int, artist_number: int, seconds: float) -> str:
    """Compose, play, mix and encode a track; returns its uri."""
    player = artist(seed, artist_number)
    mix = choose_mix(seed, track, player)
    low, high = REVERB_SENDS
    chorus = round(float(stream(seed, "chorus", track).uniform(0, MOST_CHORUS)))
    effects = Effects(reverb=min(round(low + (high - low) * mix.reverb), MOST), chorus=chorus)
    midi = midi_bytes(compose(seed, arrange(seed, track, player), seconds), effects)
    room = ROOM_SIZES[0] + (ROOM_SIZES[1] - ROOM_SIZES[0]) * mix.reverb
    sound = levelled(mix, _cut(play(program, midi, mix.sample_rate, room), mix, round(seconds * mix.sample_rate)))
    encoding = choose_encoding(seed, track)
    uri = f"audio/{_track_id(track)}.{encoding.extension}"
    (folder / uri).write_bytes(encode(sound, mix.sample_rate, encoding, serial=track))
    return uri


def _cut(sound: npt.NDArray[np.float32], mix: Mix, samples: int) -> npt.NDArray[np.float32]:
    """The sound with a length and the channels of a mix, [channels, samples]."""
    whole = np.zeros((2, samples), np.float32)
    whole[:, : min(samples, len(sound))] = sound[:samples].T
    return whole if mix.channels == 2 else whole.mean(axis=0, keepdims=True)


def _track_id(track: int) -> str:
    return f"{PROGRAM}-{track:05d}"  # other ids than the demonstration corpus has, so that its tracks count as new


def _write_table(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
