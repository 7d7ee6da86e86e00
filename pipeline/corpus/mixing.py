"""Record a track: mix its parts, add a room, equalize, and set a level, differently for each track.

Real recordings differ in room, brightness and loudness for reasons that have nothing to do with what is played. The mix
adds such differences, so that a tagger must listen to more than the average spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from pipeline.corpus.artists import Artist
from pipeline.corpus.score import Part
from pipeline.corpus.seeding import stream

# Sample rates (Hz) and numbers of channels, chosen as often as they occur here.
SAMPLE_RATES: Final = (44_100, 44_100, 48_000, 32_000, 24_000, 22_050, 22_050, 22_050)
CHANNELS: Final = (1, 1, 2)
TILT_SPREAD: Final = 1.0  # dB per octave around the artist's tilt
TILT_CENTRE: Final = 1_000.0  # frequency (Hz) that the tilt does not change
TILT_LIMITS: Final = (60.0, 12_000.0)  # frequencies (Hz) beyond which the tilt is constant
BELLS: Final = 2  # broad boosts or cuts at random places
BELL_GAIN: Final = 4.0  # largest gain in dB
BELL_WIDTH: Final = 0.6  # octaves, standard deviation
BELL_RANGE: Final = (100.0, 7_000.0)  # Hz
DECAY_TIMES: Final = (0.15, 1.2)  # seconds until the reverberation has decayed by 60 dB, dry to hall
REVERB_LEVELS: Final = (-24.0, -9.0)  # dB of the room relative to the direct sound, dry to hall
PRE_DELAY: Final = 0.012  # seconds between direct sound and room
LOUDNESS: Final = (-30.0, -14.0)  # dB RMS, full scale 0
PEAK: Final = 0.95  # full scale 1; leaves headroom, since encoders overshoot a little
FADE: Final = 0.02  # seconds at the end
STRENGTH_BLOCK: Final = 1_024  # frames over which a part counts as sounding or silent
QUIET: Final = 1e-4  # full scale 1; below this a part counts as silent


@dataclass(frozen=True)
class Mix:
    """Recording settings of a track.

    Attributes:
        track: Number of the track.
        sample_rate: Sample rate in Hz.
        channels: Number of channels, 1 or 2.
        loudness: RMS level in dB, full scale 0.
        tilt: Spectral tilt in dB per octave.
        bells: (centre in Hz, gain in dB) of the broad boosts and cuts.
        reverb: Amount of reverberation, 0 (dry) to 1 (hall).
    """

    track: int
    sample_rate: int
    channels: int
    loudness: float
    tilt: float
    bells: tuple[tuple[float, float], ...]
    reverb: float


def choose_mix(seed: int, track: int, artist: Artist) -> Mix:
    """Choose how to record a track: the artist's room and brightness with small variations, and the rest by chance."""
    rng = stream(seed, "mix", track)
    low, high = np.log2(BELL_RANGE)
    return Mix(
        track=track,
        sample_rate=SAMPLE_RATES[int(rng.integers(len(SAMPLE_RATES)))],
        channels=CHANNELS[int(rng.integers(len(CHANNELS)))],
        loudness=float(rng.uniform(*LOUDNESS)),
        tilt=artist.tilt + float(rng.uniform(-TILT_SPREAD, TILT_SPREAD)),
        bells=tuple(
            (float(2 ** rng.uniform(low, high)), float(rng.uniform(-BELL_GAIN, BELL_GAIN))) for _ in range(BELLS)
        ),
        reverb=float(np.clip(artist.reverb + rng.uniform(-0.2, 0.2), 0.0, 1.0)),
    )


def mix_down(seed: int, mix: Mix, sounds: list[tuple[Part, npt.NDArray[np.float32]]]) -> npt.NDArray[np.float32]:
    """Mix the parts of a track.

    Args:
        seed: Seed of the corpus.
        mix: Recording settings of the track.
        sounds: Each part with its sound [shape=(samples, 2)].

    Returns:
        np.ndarray [shape=(samples, mix.channels), float32], full scale 1, never beyond `PEAK`.
    """
    together = np.zeros_like(sounds[0][1])
    for part, sound in sounds:
        together += sound * np.float32(10 ** (part.level / 20) / _strength(sound))
    channels = together.T if mix.channels == 2 else together.mean(axis=1)[np.newaxis]
    wet = _room_and_colour(seed, mix, channels)
    return levelled(mix, wet)


def levelled(mix: Mix, sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Bring a sound to the loudness of a mix, and fade it out; `sound` [shape=(channels, samples)] is overwritten.

    Returns:
        np.ndarray [shape=(samples, channels), float32], full scale 1, never beyond `PEAK`.
    """
    sound *= np.float32(10 ** (mix.loudness / 20) / max(float(np.sqrt(_power(sound).mean())), QUIET))
    sound *= np.float32(min(1.0, PEAK / max(float(max(sound.max(), -sound.min())), QUIET)))
    fade = min(round(FADE * mix.sample_rate), sound.shape[1])
    sound[:, sound.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return np.ascontiguousarray(sound.T)


def _room_and_colour(seed: int, mix: Mix, dry: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Apply reverb and equalization to `dry` [shape=(channels, samples)] in one pass through the frequency domain."""
    samples = dry.shape[1]
    room = _room(seed, mix)
    length = scipy.fft.next_fast_len(samples + room.shape[1], real=True)
    spectrum = scipy.fft.rfft(dry, length)
    spectrum *= scipy.fft.rfft(room, length)
    spectrum *= _colour(mix, length)
    wet: npt.NDArray[np.float32] = scipy.fft.irfft(spectrum, length)[:, :samples]
    return wet


def _room(seed: int, mix: Mix) -> npt.NDArray[np.float32]:
    """Impulse response of the room [shape=(channels, taps)]: the direct sound, then decaying noise."""
    rng = stream(seed, "room", mix.track)
    decay = DECAY_TIMES[0] * (DECAY_TIMES[1] / DECAY_TIMES[0]) ** mix.reverb
    level = REVERB_LEVELS[0] + (REVERB_LEVELS[1] - REVERB_LEVELS[0]) * mix.reverb
    taps = round(decay * mix.sample_rate)
    noise = rng.standard_normal((mix.channels, taps), dtype=np.float32)
    noise *= np.power(10.0, np.linspace(0, -3, taps)).astype(np.float32)
    noise *= np.float32(10 ** (level / 20)) / np.sqrt((noise**2).sum(axis=1, keepdims=True))
    direct = np.zeros((mix.channels, round(PRE_DELAY * mix.sample_rate)), np.float32)
    direct[:, 0] = 1.0
    return np.concatenate([direct, noise], axis=1)


def _colour(mix: Mix, length: int) -> npt.NDArray[np.float32]:
    """Gain for each frequency of a real transform of `length` samples [shape=(length // 2 + 1,)]."""
    # A coarse grid is exact enough for such a smooth curve, since bells and tilt are broad.
    grid = np.linspace(np.log2(20.0), np.log2(mix.sample_rate / 2), 256)
    decibels = mix.tilt * (np.clip(grid, *np.log2(TILT_LIMITS)) - np.log2(TILT_CENTRE))
    for centre, gain in mix.bells:
        decibels = decibels + gain * np.exp(-0.5 * ((grid - np.log2(centre)) / BELL_WIDTH) ** 2)
    frequencies = np.arange(length // 2 + 1, dtype=np.float32) * np.float32(mix.sample_rate / length)
    gains = np.interp(frequencies, np.exp2(grid), np.power(10.0, decibels / 20))
    rounded: npt.NDArray[np.float32] = gains.astype(np.float32)
    return rounded


def _strength(sound: npt.NDArray[np.float32]) -> float:
    """RMS of the non-silent part of a sound, so that few notes count as loud as many."""
    blocks = len(sound) // STRENGTH_BLOCK
    block_rms = np.sqrt(_power(sound[: blocks * STRENGTH_BLOCK].reshape(blocks, -1)))
    heard = block_rms[block_rms > QUIET]
    return float(np.sqrt(np.mean(heard**2))) if len(heard) else 1.0


def _power(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean square of each row of [shape=(rows, samples)]."""
    squares: npt.NDArray[np.float32] = np.einsum("ij,ij->i", rows, rows)
    squares /= max(rows.shape[1], 1)
    return squares
