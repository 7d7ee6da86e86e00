"""What features cost: CPU seconds per hour of stereo mp3, from the bare decode to what most scripts do.

    python -m benchmarks.feature_cost

Every row works on the same files in this one process with one thread, so the ratios hold whatever the machine is doing.
The isolation by a child process, hashing and writing come on top in a build.
"""

from __future__ import annotations

import json
import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_variable] = "1"  # before numpy is imported

import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import soundfile  # noqa: E402

from pipeline.audio.logmel import stored_logmel  # noqa: E402
from pipeline.audio.sources import BLOCK_FRAMES  # noqa: E402
from pipeline.audio.waveform import read_waveform  # noqa: E402
from schemas.examples import encode_example  # noqa: E402
from schemas.features import LogMelSpec, WaveformSpec  # noqa: E402

FILES = 4
SECONDS = 300  # of each file
SAMPLE_RATE = 44_100  # Hz
REPEATS = 3  # the least of so many counts
RESULTS = Path(__file__).parent / "results"

WAVEFORM = WaveformSpec(excerpt="full")
LOGMEL = LogMelSpec(waveform=WAVEFORM)


def bare_decode(path: str) -> None:
    """The floor: libsndfile into one reused block, nothing kept."""
    with soundfile.SoundFile(path) as file:
        block = np.empty((BLOCK_FRAMES, file.channels), np.float32)
        while len(file.read(out=block)):
            pass


def our_waveform(path: str) -> None:
    """Decode, mix, resample, round."""
    read_waveform(path, WAVEFORM)


def our_features(path: str) -> None:
    """Waveform and log-mel as a decoding process makes them, and their records."""
    samples = read_waveform(path, WAVEFORM).samples
    encode_example("waveform", path, samples)
    encode_example("logmel", path, stored_logmel(samples, LOGMEL))


def usual_script(path: str) -> None:
    """librosa.load, librosa's mel spectrogram and an Example of float lists, as most scripts do."""
    import librosa
    import tensorflow as tf

    signal, rate = librosa.load(path, sr=LOGMEL.sample_rate)
    mel = librosa.feature.melspectrogram(
        y=signal, sr=rate, n_fft=LOGMEL.n_fft, hop_length=LOGMEL.hop_length, n_mels=LOGMEL.mels
    )
    features = {"waveform": signal, "logmel": np.log10(1 + LOGMEL.gain * mel).ravel()}
    lists = {name: tf.train.Feature(float_list=tf.train.FloatList(value=values)) for name, values in features.items()}
    tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString()


ROWS: dict[str, Callable[[str], None]] = {
    "bare streamed decode": bare_decode,
    "waveform": our_waveform,
    "both features, as records": our_features,
    "the usual script (librosa)": usual_script,
}


def measure() -> dict[str, float]:
    """CPU seconds per hour of audio of each row."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [_music(folder, number) for number in range(FILES)]
        hours = FILES * SECONDS / 3600
        costs = {}
        for name, work in ROWS.items():
            work(paths[0])  # imports, caches
            costs[name] = min(_cpu_seconds(work, paths) for _ in range(REPEATS)) / hours
    return costs


def _cpu_seconds(work: Callable[[str], None], paths: list[str]) -> float:
    started = time.process_time()
    for path in paths:
        work(path)
    return time.process_time() - started


def _music(folder: str, number: int) -> str:
    """A stereo mp3 of chords under noise: full-band material, as costly to decode as music."""
    rng = np.random.default_rng(number)
    moments = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * frequency * moments) for frequency in 110 * 2 ** rng.uniform(0, 5, 6)) / 12
    stereo = np.stack([chord, np.roll(chord, 300)], axis=1) + rng.normal(scale=0.03, size=(len(moments), 2))
    path = os.path.join(folder, f"{number}.mp3")
    soundfile.write(path, stereo.astype(np.float32), SAMPLE_RATE, subtype="MPEG_LAYER_III")
    return path


def main() -> None:
    costs = measure()
    floor = costs["bare streamed decode"]
    print(f"{'CPU seconds per hour of stereo mp3':<36} {'CPU s/h':>8} {'x real time':>12} {'x bare decode':>14}")
    for name, cost in costs.items():
        print(f"{name:<36} {cost:>8.2f} {3600 / cost:>12,.0f} {cost / floor:>14.2f}")
    print(
        f"the usual script costs {costs['the usual script (librosa)'] / costs['both features, as records']:.1f} times as much"
    )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "feature_cost.json").write_text(json.dumps(costs, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
