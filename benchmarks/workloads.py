"""Jobs that benchmarks start in their own processes: python -m benchmarks.workloads NAME ARGUMENTS…"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

for _variable in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
):
    os.environ[_variable] = "1"  # before numpy is imported


def _paths(catalog: str) -> Iterator[str]:
    with open(catalog, newline="") as file:
        for row in csv.DictReader(file):
            yield str(Path(catalog).parent / row["uri"])


def bare_decode(catalog: str) -> None:
    """The floor: libsndfile decodes into one reused block, and nothing is kept."""
    import numpy as np
    import soundfile

    class Streamed(soundfile.SoundFile):
        """A file without seeks between blocks: soundfile makes them, and they corrupt parts of a decoded mp3."""

        def seekable(self) -> bool:
            return False

    for path in _paths(catalog):
        with Streamed(path) as file:
            block = np.empty((131_072, file.channels), np.float32)
            while len(file.read(out=block)):
                pass


def usual_script(catalog: str) -> None:
    """The usual script: librosa.load, librosa's mel spectrogram and an Example of float lists."""
    import librosa
    import numpy as np
    import tensorflow as tf

    with tf.io.TFRecordWriter(os.devnull) as writer:
        for path in _paths(catalog):
            signal, rate = librosa.load(path, sr=16_000)
            mel = librosa.feature.melspectrogram(y=signal, sr=rate, n_fft=512, hop_length=256, n_mels=96)
            features = {"waveform": signal, "logmel": np.log10(1 + 10_000 * mel).ravel()}
            lists = {name: tf.train.Feature(float_list=tf.train.FloatList(value=v)) for name, v in features.items()}
            writer.write(tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString())


def plan(catalog: str) -> None:
    """The driver's work on a catalog before it starts a job; the plan is discarded."""
    from pipeline.decode.catalog import read_catalog
    from pipeline.jobs.plan import plan_tracks, shard_count
    from schemas.features import Excerpt
    from schemas.plan_file import plan_bytes

    table = read_catalog(catalog).table
    planned = plan_tracks(table, shard_count(table["duration"].to_pylist(), Excerpt.parse("center:30")))
    print(f"{planned['shard'][-1].as_py() + 1:,} shards, {len(plan_bytes(planned, {})) / 1e6:.0f} MB")


def copy_table(table: str) -> None:
    """The floor of labelling: read a whole CSV and write it as Parquet."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    types = {"track_id": pa.string(), "tag": pa.string()}
    options = pyarrow.csv.ConvertOptions(column_types=types)
    with open(os.devnull, "wb") as file:
        pyarrow.parquet.write_table(pyarrow.csv.read_csv(table, convert_options=options), file, compression="zstd")


def usual_labels(annotations: str) -> None:
    """The usual script: gather each track's labels in a dictionary, count them, write JSON lines; no split, no version."""
    import collections
    import json

    tags_of: dict[str, list[str]] = {}
    with open(annotations, newline="") as file:
        for row in csv.DictReader(file):
            tags_of.setdefault(row["track_id"], []).append(row["tag"])
    vocabulary = [tag for tag, _ in collections.Counter(tag for tags in tags_of.values() for tag in tags).most_common()]
    place = {tag: number for number, tag in enumerate(vocabulary)}
    with open(os.devnull, "w") as out:
        for track, tags in sorted(tags_of.items()):
            out.write(json.dumps({"track_id": track, "labels": sorted(place[tag] for tag in tags)}) + "\n")


def features_here(catalog: str) -> None:
    """Compute both features in this process and discard them."""
    from pipeline.audio.logmel import stored_logmel
    from pipeline.audio.tracks import read_waveform
    from schemas.features import LogMelSpec, WaveformSpec

    spec = LogMelSpec(waveform=WaveformSpec("full"))
    for path in _paths(catalog):
        stored_logmel(read_waveform(path, spec.waveform).samples, spec)


def features_isolated(catalog: str) -> None:
    """Compute both features in a decoding process and read them in this one."""
    from pipeline.audio.isolation import DecodingProcess
    from schemas.features import LogMelSpec, WaveformSpec

    with DecodingProcess(LogMelSpec(waveform=WaveformSpec("full"))) as decoding:
        for path in _paths(catalog):
            features = decoding.features(path)
            for array in (features.waveform, features.logmel):
                for _ in array.blocks():
                    pass


def _seconds(catalog: str) -> int:
    """Length of each track."""
    with open(catalog, newline="") as file:
        return round(float(next(csv.DictReader(file))["duration"]))


def _signature(model: str, name: str) -> Any:
    import tensorflow as tf

    loaded = tf.saved_model.load(model)
    function = loaded.signatures[name]
    function.model = loaded  # the signature does not keep its weights alive
    return function


def bare_model(catalog: str, model: str, batch: str) -> None:
    """The floor of scoring: the SavedModel on waveforms in memory, as many as the catalog has, in batches."""
    import numpy as np
    import tensorflow as tf

    score, paths = _signature(model, "serving_default"), list(_paths(catalog))
    seconds = _seconds(catalog)
    signal = np.random.default_rng(0).normal(scale=0.1, size=(int(batch), seconds * 16_000)).astype(np.float32)
    for first in range(0, len(paths), int(batch)):
        score(waveform=tf.constant(signal[: min(int(batch), len(paths) - first)]))


def bare_model_on_logmel(catalog: str, model: str, batch: str) -> None:
    """The same on log-mel spectrograms in memory."""
    import numpy as np
    import tensorflow as tf

    score, paths = _signature(model, "logmel"), list(_paths(catalog))
    seconds = _seconds(catalog)
    shape = (int(batch), 1 + seconds * 16_000 // 256, 96)
    logmel = np.random.default_rng(0).uniform(0, 3, size=shape).astype(np.float32)
    for first in range(0, len(paths), int(batch)):
        score(logmel=tf.constant(logmel[: min(int(batch), len(paths) - first)]))


def usual_tagging(catalog: str, model: str) -> None:
    """The usual script: librosa.load and the model, file by file."""
    import librosa
    import tensorflow as tf

    score = _signature(model, "serving_default")
    for path in _paths(catalog):
        signal, _ = librosa.load(path, sr=16_000)
        score(waveform=tf.constant(signal[None]))["scores"].numpy()


WORKLOADS: dict[str, Callable[..., None]] = {
    job.__name__: job
    for job in (
        bare_decode,
        usual_script,
        plan,
        copy_table,
        usual_labels,
        features_here,
        features_isolated,
        bare_model,
        bare_model_on_logmel,
        usual_tagging,
    )
}

if __name__ == "__main__":
    WORKLOADS[sys.argv[1]](*sys.argv[2:])
