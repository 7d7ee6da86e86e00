"""Cost of tagging long stereo mp3 and their stored features, beside a bare decode and a bare model.

    python -m benchmarks.tagging [--repeats 3]

The table shows CPU seconds of the whole process tree per additional hour of audio, and the fixed cost of starting up, most of
which is the import of TensorFlow. The model is the spectrogram model in its default size with patches of 15 s, with random
weights. Every row runs in its own process with one thread per library, on the same files, in one run. The bare model runs in
each of several batch sizes; the best one counts. Two workers are compared with one by wall time.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.marginal import Marginal, Sizes, marginal
from benchmarks.material import described, write_catalog
from benchmarks.results import write_results

SECONDS = 300  # length of a track
FEW, MANY = 2, 10  # tracks: ten minutes and fifty minutes of audio
BATCHES = (1, 4)  # rows of the bare model; each takes all its patches one after the other
CATALOG_TRACKS, CATALOG_SECONDS = 1_500_000, (30, 240)  # for the closing estimate: 30 s of each track, and whole tracks

DECODE, MODEL, MODEL_ON_LOGMEL = (
    "bare streamed decode",
    "bare model, waveforms in memory",
    "bare model, log-mel in memory",
)
FROM_AUDIO, FROM_STORED, USUAL = "tag --catalog, one worker", "tag --dataset, one worker", "the usual script (librosa)"
BY_TWO = "tag --catalog, two workers"


def write_default_model(out: Path) -> None:
    """Export the default spectrogram model with random weights."""
    program = (
        "import sys\n"
        "from training.devices.tensorflow_import import import_tensorflow\n"
        "import_tensorflow()\n"
        "from schemas.features import LogMelSpec, WaveformSpec\n"
        "from training.models.tagger import ModelConfig, build_tagger\n"
        "from training.serving.model_folder import write_model\n"
        "tags = [f'tag {number}' for number in range(50)]\n"
        "model = build_tagger(ModelConfig('spectrogram'), tags=50, patch=938)\n"
        "write_model(sys.argv[1], model, patch=938, spec=LogMelSpec(WaveformSpec('full')), vocabulary=tags,\n"
        "    labels={'name': 'random', 'version': '0'}, config={'patch_seconds': 15.0})\n"
    )
    subprocess.run([sys.executable, "-c", program, str(out)], check=True)


def workload(name: str, *options: object) -> Callable[[Path], Sequence[str]]:
    return lambda catalog: (sys.executable, "-m", "benchmarks.workloads", name, str(catalog), *map(str, options))


def tag_command(model: Path, out: Path, workers: int, *, stored: bool = False) -> Callable[[Path], Sequence[str]]:
    """The command that tags a catalog, or the dataset built from it, from scratch; `out` is emptied each time."""

    def command(catalog: Path) -> Sequence[str]:
        shutil.rmtree(out, ignore_errors=True)
        # A shard for each track of the few, so that two workers have the same to do.
        source = ("--dataset", dataset_of(catalog)) if stored else ("--catalog", catalog, "--shards", FEW)
        words = ("tag", "--model", model, *source, "--out", out, "--max-reject-rate", 1, "--workers", workers)
        return (sys.executable, "-m", "pipeline.run", *map(str, words))

    return command


def dataset_of(catalog: Path) -> Path:
    return catalog.with_suffix(".dataset")


def measure(folder: Path, repeats: int) -> dict[str, Marginal]:
    """Measures the cost of each row."""
    few, many = (write_catalog(folder, tracks, SECONDS) for tracks in (FEW, MANY))
    for catalog in (few, many):
        words = ("build", "--catalog", catalog, "--dataset", dataset_of(catalog), "--excerpt", "full", "--workers", 1)
        subprocess.run([sys.executable, "-m", "pipeline.run", *map(str, words)], check=True, capture_output=True)
    sizes = Sizes(few, many, FEW * SECONDS / 3600, MANY * SECONDS / 3600)
    model, out = folder / "model", folder / "tags"
    write_default_model(model)
    rows: dict[str, Callable[[Path], Sequence[str]]] = {
        DECODE: workload("bare_decode"),
        FROM_AUDIO: tag_command(model, out, 1),
        BY_TWO: tag_command(model, out, 2),
        FROM_STORED: tag_command(model, out, 1, stored=True),
        USUAL: workload("usual_tagging", model),
    }
    costs = {name: marginal(command, sizes, repeats) for name, command in rows.items()}
    for row, name in ((MODEL, "bare_model"), (MODEL_ON_LOGMEL, "bare_model_on_logmel")):
        tried = [marginal(workload(name, model, batch), sizes, repeats) for batch in BATCHES]
        costs[row] = min(tried, key=lambda cost: cost.per_hour)
    return costs


def main() -> None:
    """Measure, print a table, write JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=3)
    repeats = arguments.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(Path(folder), repeats)
        size = sum(path.stat().st_size for path in Path(folder, "tags").rglob("*.parquet"))
    floors = {FROM_AUDIO: costs[DECODE].per_hour + costs[MODEL].per_hour, FROM_STORED: costs[MODEL_ON_LOGMEL].per_hour}
    print(f"stereo mp3 of {SECONDS} s, {described()}")
    print(f"{'CPU seconds of the process tree':<34} {'per hour':>9} {'x real time':>12} {'of floor':>9} {'fixed':>7}")
    for name, cost in costs.items():
        share = f"{floors[name] / cost.per_hour:.2f}" if name in floors else ""
        print(f"{name:<34} {cost.per_hour:>9.1f} {3600 / cost.per_hour:>12,.0f} {share:>9} {cost.fixed:>6.1f}s")
    ratios = {
        "from_audio_to_floor": floors[FROM_AUDIO] / costs[FROM_AUDIO].per_hour,
        "from_stored_to_floor": floors[FROM_STORED] / costs[FROM_STORED].per_hour,
        "usual_script_to_ours": costs[USUAL].per_hour / costs[FROM_AUDIO].per_hour,
        "two_workers": costs[FROM_AUDIO].wall_per_hour / costs[BY_TWO].wall_per_hour,
    }
    for seconds in CATALOG_SECONDS:
        hours = CATALOG_TRACKS * seconds / 3600
        audio, stored = (hours * costs[row].per_hour / 3600 for row in (FROM_AUDIO, FROM_STORED))
        print(
            f"{CATALOG_TRACKS:,} tracks of {seconds} s: {audio:,.0f} core-hours from audio, {stored:,.0f} from stored log-mel"
        )
    print(f"usual script / ours {ratios['usual_script_to_ours']:.2f}; {size / MANY:,.0f} bytes a track")
    print(f"two workers are {ratios['two_workers']:.2f} times as fast as one")
    rows = {name: dataclasses.asdict(cost) for name, cost in costs.items()}
    write_results("tagging", {"rows": rows, **ratios, "bytes_per_track": size / MANY})


if __name__ == "__main__":
    main()
