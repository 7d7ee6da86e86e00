"""The second demonstration corpus, played by FluidSynth itself where that is installed."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import mido
import numpy as np
import pytest

from benchmarks import fluidsynth_corpus
from benchmarks.fluidsynth_corpus import PROGRAM, SOUNDFONT, play, render_with_fluidsynth, require_fluidsynth
from benchmarks.midi_files import Effects, midi_bytes
from pipeline.corpus.score import Curve, Note, Part, Piece
from pipeline.corpus.tags import TAGS
from schemas.console.errors import UserError

RATE = 22_050
DRY = Effects(reverb=0, chorus=0)
ORGAN = 16
installed = pytest.mark.skipif(
    shutil.which(PROGRAM) is None or not SOUNDFONT.exists(), reason="needs fluidsynth and fluid-soundfont-gm"
)


@installed
def test_the_corpus_has_the_same_bytes_with_any_number_of_workers(tmp_path: Path) -> None:
    for workers in (1, 2):
        render_with_fluidsynth(tmp_path / str(workers), tracks=4, seed=2, seconds=2.0, workers=workers)
    names = sorted(path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*.*"))
    assert {name.suffix for name in names} == {".csv", ".json", ".mp3", ".ogg", ".flac", ".wav"}
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    _, *annotations = (tmp_path / "1" / "annotations.csv").read_text().splitlines()
    assert {row.split(",")[1] for row in annotations} < set(TAGS)
    with pytest.raises(UserError, match="expected a corpus of"):
        render_with_fluidsynth(tmp_path / "1", tracks=4, seed=3, seconds=2.0)


@installed
def test_tuning_bends_and_swells_sound_as_they_are_written() -> None:
    bend, swell = Curve((1.0,), (2.0,)), Curve((1.0,), (-12.0,))
    plain, bent, softer = (
        _played(Part(ORGAN, (Note(0.0, 2.0, 69, 100),), 0.0, 0.0, **curve), tuning)
        for curve, tuning in (({}, 0.0), ({"bend": bend}, 0.25), ({"swell": swell}, 0.0))
    )
    tuned, both = (_semitones(bent, start) - _semitones(plain, start) for start in (0.2, 1.2))
    assert tuned == pytest.approx(0.25, abs=0.03)
    assert both == pytest.approx(2.25, abs=0.03)
    first, second = (_decibels(softer, start) - _decibels(plain, start) for start in (0.2, 1.2))
    assert first == pytest.approx(0.0, abs=0.1)
    assert second == pytest.approx(-12.0, abs=0.5)


def test_every_note_of_a_piece_is_in_its_midi_file_at_its_time() -> None:
    notes = (Note(0.5, 1.0, 60, 90), Note(1.0, 1.25, 60, 80))
    drums = Part(8, (Note(0.25, 0.35, 36, 118),), 0.0, 0.0, drums=True)
    data = midi_bytes(Piece((Part(40, notes, 0.0, 0.3), drums), 2.0, 0.1), Effects(40, 20))
    heard, now = [], 0.0
    for message in mido.MidiFile(file=io.BytesIO(data)):
        now += message.time
        if message.type in ("note_on", "note_off"):
            heard.append((round(now, 6), message.type, message.channel, message.note, message.velocity))
    assert heard == [
        (0.25, "note_on", 9, 36, 118),
        (0.35, "note_off", 9, 36, 0),
        (0.5, "note_on", 0, 60, 90),
        (1.0, "note_off", 0, 60, 0),
        (1.0, "note_on", 0, 60, 80),
        (1.25, "note_off", 0, 60, 0),
    ]
    assert now == pytest.approx(2.0)


def test_a_missing_soundfont_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fluidsynth_corpus, "SOUNDFONT", Path("/nowhere.sf2"))
    with pytest.raises(UserError, match="apt-get install fluidsynth fluid-soundfont-gm") as error:
        require_fluidsynth()
    assert "\n" not in str(error.value)


def _played(part: Part, tuning: float) -> np.ndarray:
    sound = play(require_fluidsynth(), midi_bytes(Piece((part,), 2.0, tuning), DRY), RATE, room_size=0.0)
    return sound.mean(axis=1)


def _cut(sound: np.ndarray, start: float) -> np.ndarray:
    return sound[round(start * RATE) : round((start + 0.7) * RATE)]


def _semitones(sound: np.ndarray, start: float) -> float:
    """Pitch of the strongest partial between 380 and 540 Hz, in semitones above 440 Hz."""
    part, size = _cut(sound, start), 1 << 18
    spectrum, frequencies = np.abs(np.fft.rfft(part * np.hanning(len(part)), size)), np.fft.rfftfreq(size, 1 / RATE)
    near = (frequencies > 380) & (frequencies < 540)
    return float(12 * np.log2(frequencies[near][spectrum[near].argmax()] / 440))


def _decibels(sound: np.ndarray, start: float) -> float:
    return float(10 * np.log10(np.mean(_cut(sound, start) ** 2)))
