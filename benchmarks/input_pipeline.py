"""Speed of reading training patches, beside a bare read of the same TFRecords: python -m benchmarks.input_pipeline

The benchmark reads records of 30 s and of 4 minutes, of both families, from the page cache; the same records through
copies in a stage, as training from a bucket does; and through the pipeline that a user would otherwise write with tf.data:
read, shuffle, parse, crop, batch. Each figure is the highest number of tracks per second in several passes over all
tracks; the methods take turns.
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.command_line import number_given
from benchmarks.results import write_results
from schemas.features import Family, LogMelSpec
from training.data.staging import Stage
from training.devices.tensorflow_import import import_tensorflow

PASSES = 5
BATCH_SIZE = 32
PATCH_SECONDS = 15.0
TRACKS = {30: 384, 240: 96}  # seconds of a track -> number of tracks
SAMPLE_RATE = 16_000  # Hz, the dataset's own, so that nothing is resampled
TAGS = 50


def write_dataset(folder: Path, seconds: int, tracks: int) -> str:
    """Build and label a dataset of noise with the pipeline; returns its folder."""
    from pipeline.decode.build import build
    from pipeline.decode.options import BuildOptions
    from pipeline.labels.overlay import lay_labels
    from pipeline.labels.split_method import SplitMethod
    from pipeline.labels.splits import DEFAULT_SPLIT, make_split
    from schemas.dataset import Dataset

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    with (
        open(folder / "catalog.csv", "w", newline="") as catalog,
        open(folder / "annotations.csv", "w", newline="") as annotations,
    ):
        rows, labels = csv.writer(catalog), csv.writer(annotations)
        rows.writerow(["track_id", "uri"])
        labels.writerow(["track_id", "tag"])
        for number in range(tracks):
            noise = rng.normal(scale=0.1, size=seconds * SAMPLE_RATE).astype(np.float32)
            soundfile.write(folder / f"{number}.wav", noise, SAMPLE_RATE)
            rows.writerow([number, f"{number}.wav"])
            labels.writerows([number, f"tag {tag}"] for tag in range(TAGS) if rng.random() < 0.1)
    (folder / "bench.yaml").write_text("name: bench\nunlabelled: keep\n")
    root = str(folder / "data")
    build(str(folder / "catalog.csv"), root, BuildOptions(excerpt="full"))
    make_split(Dataset.open(root), DEFAULT_SPLIT, SplitMethod((98, 1, 1)))
    lay_labels(root, [str(folder / "annotations.csv")], str(folder / "bench.yaml"))
    return root


class Ways:
    """Ways to read the training split of a dataset once.

    Args:
        root: folder of the dataset.
        family: feature family to read.
        stage: folder for copies of the payloads.
    """

    def __init__(self, root: str, family: Family, stage: Stage) -> None:
        from schemas.dataset import Dataset
        from schemas.label_version import open_labels
        from training.data.input import TrainingInput
        from training.data.labels import labelled_tracks
        from training.data.records import TrackRecords
        from training.models.patches import patch_length

        dataset = Dataset.open(root)
        self._spec = dataset.spec(family)
        tracks = labelled_tracks(dataset, open_labels(dataset, "bench"), self._spec, "train")
        self.tracks = len(tracks)
        records = TrackRecords(dataset, tracks)
        payloads = records.payloads(range(len(tracks)))
        self._files, self.records = [uri for uri, _ in payloads], sum(mark.records for _, mark in payloads)
        frontend = "spectrogram" if family == "logmel" else "waveform"
        self._patch = patch_length(PATCH_SECONDS, frontend)
        self._input = TrainingInput(records, self._patch, BATCH_SIZE, seed=0)
        stage.begin(payloads)
        while any(stage.place_of(uri) == uri for uri in self._files):
            time.sleep(0.1)
        self._staged = TrainingInput(TrackRecords(dataset, tracks, stage), self._patch, BATCH_SIZE, seed=0)
        self._epoch = 0

    def bare(self) -> Any:
        """The floor: read the records as bytes, file after file, and discard them."""
        import tensorflow as tf

        return tf.data.TFRecordDataset(self._files).prefetch(tf.data.AUTOTUNE)

    def ours(self) -> Any:
        self._epoch += 1
        return self._input.dataset(self._epoch)

    def staged(self) -> Any:
        self._epoch += 1
        return self._staged.dataset(self._epoch)

    def usual(self) -> Any:
        """The pipeline from tf.data's own guide: every record is read whole, parsed and then cropped."""
        import tensorflow as tf

        is_logmel = isinstance(self._spec, LogMelSpec)
        key = "logmel" if is_logmel else "waveform"

        def parse(record: Any) -> Any:
            values = tf.io.parse_single_example(record, {key: tf.io.FixedLenFeature([], tf.string)})[key]
            if is_logmel:
                feature = tf.reshape(tf.io.decode_raw(values, tf.float16), [-1, self._spec.mels])
                return tf.cast(tf.image.random_crop(feature, [self._patch, self._spec.mels]), tf.float32)
            samples = tf.io.decode_raw(values, tf.int16)
            return tf.cast(tf.image.random_crop(samples, [self._patch]), tf.float32) / 32768.0

        return (
            tf.data.TFRecordDataset(self._files, num_parallel_reads=tf.data.AUTOTUNE)
            .shuffle(256)
            .map(parse, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(BATCH_SIZE)
            .prefetch(tf.data.AUTOTUNE)
        )


def _seconds(make: Callable[[], Any]) -> float:
    data = make()
    began = time.perf_counter()
    for _ in data:
        pass
    return time.perf_counter() - began


def main() -> None:
    """Measure, print a table, write JSON."""
    passes = number_given(__doc__, "passes", PASSES)
    import_tensorflow()
    measured: dict[str, Any] = {}
    print(f"{'records':<18} {'bare':>8} {'ours':>8} {'staged':>8} {'usual':>8}   tracks/s   / bare, staged   / usual")
    with tempfile.TemporaryDirectory() as folder, Stage(str(Path(folder, "stage"))) as stage:
        for seconds, tracks in TRACKS.items():
            root = write_dataset(Path(folder, str(seconds)), seconds, tracks)
            for family in ("logmel", "waveform"):
                ways = Ways(root, family, stage)
                best = dict.fromkeys(("bare", "ours", "staged", "usual"), float("inf"))
                for number in range(passes + 1):  # the first pass fills caches and does not count
                    for name in best:
                        took = _seconds(getattr(ways, name))
                        best[name] = min(best[name], took) if number else best[name]
                rates = {
                    name: (ways.tracks if name in ("ours", "staged") else ways.records) / took
                    for name, took in best.items()
                }
                ratios = {
                    "ours/bare": rates["ours"] / rates["bare"],
                    "staged/bare": rates["staged"] / rates["bare"],
                    "ours/usual": rates["ours"] / rates["usual"],
                }
                print(
                    f"{family + f', {seconds} s':<18} "
                    + " ".join(f"{rates[name]:8,.0f}" for name in best)
                    + f"              {ratios['ours/bare']:6.2f} {ratios['staged/bare']:7.2f} {ratios['ours/usual']:9.2f}",
                    flush=True,
                )
                measured[f"{family} {seconds} s"] = {**rates, **ratios}
    write_results("input_pipeline", measured)


if __name__ == "__main__":
    main()
