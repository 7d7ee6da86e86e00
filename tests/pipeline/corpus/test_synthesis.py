"""The rendered sound has the pitch, bends, swells, rooms and levels that are written."""

import numpy as np
import pytest

from pipeline.corpus.artists import artist
from pipeline.corpus.mixing import PEAK, choose_mix, mix_down
from pipeline.corpus.score import Curve, Note, Part
from pipeline.corpus.synthesis import play

RATE = 22_050
ORGAN = 16


def pitch_of(sound: np.ndarray) -> float:
    """The strongest frequency of a sound, as a MIDI pitch."""
    mono = sound.mean(axis=1) * np.hanning(len(sound))
    frequency = np.abs(np.fft.rfft(mono, 1 << 18)).argmax() * RATE / (1 << 18)
    return float(69 + 12 * np.log2(frequency / 440))


def held(pitch: int, **settings: object) -> Part:
    return Part(73, (Note(0.0, 2.0, pitch, 100),), 0.0, 0.0, **settings)  # type: ignore[arg-type]


def test_a_note_sounds_at_its_pitch_and_a_tuning_moves_it() -> None:
    plain = pitch_of(play(held(72), 2.0, 0.0, RATE)[RATE // 2 :])
    assert plain == pytest.approx(72, abs=0.3)
    assert pitch_of(play(held(72), 2.0, 0.3, RATE)[RATE // 2 :]) - plain == pytest.approx(0.3, abs=0.1)


def test_a_bend_moves_the_pitch_from_its_time_on() -> None:
    sound = play(held(72, bend=Curve((0.0, 1.0), (0.0, 7.0))), 2.0, 0.0, RATE)
    assert pitch_of(sound[RATE + 2_000 :]) - pitch_of(sound[2_000:RATE]) == pytest.approx(7, abs=0.2)


def test_a_swell_changes_the_loudness_by_its_decibels() -> None:
    part = Part(ORGAN, (Note(0.0, 2.0, 60, 100),), 0.0, 0.0, swell=Curve((0.0, 1.0), (-20.0, 0.0)))
    sound = play(part, 2.0, 0.0, RATE)
    soft, loud = sound[RATE // 2 : RATE].std(), sound[-RATE // 2 :].std()
    assert 20 * np.log10(loud / soft) == pytest.approx(20, abs=2)


def test_a_synthesizer_keeps_no_trace_of_what_it_played_before() -> None:
    first = play(held(60), 1.0, 0.0, RATE)
    play(held(90, bend=Curve((0.0,), (12.0,))), 1.0, 1.0, RATE)
    assert np.array_equal(play(held(60), 1.0, 0.0, RATE), first)


def test_a_mix_has_the_chosen_loudness_unless_peaks_forbid_it() -> None:
    parts = [held(60), held(67)]
    for track in range(6):
        mix = choose_mix(0, track, artist(0, 0))
        sounds = [(part, play(part, 2.0, 0.0, mix.sample_rate)) for part in parts]
        sound = mix_down(0, mix, sounds)
        assert sound.shape == (2 * mix.sample_rate, mix.channels)
        assert sound.dtype == np.float32
        peak, loudness = np.abs(sound).max(), 20 * np.log10(sound.std())
        assert peak <= PEAK * 1.0001
        assert loudness == pytest.approx(mix.loudness, abs=0.5) or peak > PEAK * 0.99


def test_parts_are_mixed_at_their_levels_however_loud_the_instrument_is() -> None:
    mix = choose_mix(0, 0, artist(0, 0))
    part = Part(73, (Note(0.0, 2.0, 72, 100),), -6.0, 0.0)
    sound = play(part, 2.0, 0.0, mix.sample_rate)
    once = mix_down(0, mix, [(held(60), play(held(60), 2.0, 0.0, mix.sample_rate)), (part, sound)])
    louder = mix_down(0, mix, [(held(60), play(held(60), 2.0, 0.0, mix.sample_rate)), (part, sound * 4)])
    assert np.allclose(once, louder, atol=1e-4)
