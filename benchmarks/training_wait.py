"""Share of a training step that is waiting for data: python -m benchmarks.training_wait

The benchmark takes the same steps with patches read from records of 30 s and on one cached batch, in turn. Short patches
are the harder case: a step is quick, and a whole record is read for each patch.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.command_line import number_given
from benchmarks.input_pipeline import write_dataset
from benchmarks.results import write_results
from training.devices.tensorflow_import import import_tensorflow

TURNS = 4
STEPS = 12  # per turn
TRACKS = 400  # enough for the steps of a turn in one epoch
BATCH_SIZE = 32
PATCH_SECONDS = 3.0


def measure(root: str, frontend: Any, turns: int) -> dict[str, float]:
    """Examples per second with data and on one batch, each from its fastest turn."""
    import tensorflow as tf

    from schemas.dataset import Dataset
    from schemas.label_version import open_labels
    from training.config import TrainConfig
    from training.data.input import TrainingInput
    from training.data.labels import labelled_tracks
    from training.data.records import TrackRecords
    from training.fit.losses import TrainingLoss
    from training.fit.optimizer import make_optimizer
    from training.fit.step import TrainingStep
    from training.runs.build_model import build_model, features_of

    config = TrainConfig(root, "bench", frontend, patch_seconds=PATCH_SECONDS, batch_size=BATCH_SIZE)
    dataset = Dataset.open(root)
    spec = features_of(dataset, config)
    records = TrackRecords(dataset, labelled_tracks(dataset, open_labels(dataset, "bench"), spec, "train"))
    data = TrainingInput(records, config.patch, BATCH_SIZE, config.seed)
    model = build_model(config, records.tracks.targets.shape[1], spec)
    optimizer = make_optimizer(config, model)
    step = TrainingStep(model, optimizer, TrainingLoss("cross-entropy"), tf.distribute.get_strategy())
    step.compile(data.dataset(0).element_spec)
    cached = next(iter(data.dataset(0)))

    def with_data(turn: int) -> float:
        elements = iter(data.dataset(turn).take(STEPS + 1))
        float(step(next(elements), 0, False)[0])  # the wait for the first element occurs only once per epoch
        began = time.perf_counter()
        for element in elements:
            float(step(element, 0, False)[0])
        return time.perf_counter() - began

    def on_one_batch(_turn: int) -> float:
        began = time.perf_counter()
        for _ in range(STEPS):
            float(step(cached, 0, False)[0])
        return time.perf_counter() - began

    on_one_batch(0)
    best = {"with data": float("inf"), "one batch": float("inf")}
    for turn in range(turns):
        best["with data"] = min(best["with data"], with_data(turn))
        best["one batch"] = min(best["one batch"], on_one_batch(turn))
    return {name: STEPS * BATCH_SIZE / took for name, took in best.items()}


def main() -> None:
    """Measure, print a table, write JSON."""
    turns = number_given(__doc__, "turns", TURNS)
    import_tensorflow()
    measured: dict[str, Any] = {}
    print(f"{'front-end':<14} {'with data':>10} {'one batch':>10}   examples/s   ratio")
    with tempfile.TemporaryDirectory() as folder:
        root = write_dataset(Path(folder, "data"), 30, TRACKS)
        for frontend in ("spectrogram", "waveform"):
            rates = measure(root, frontend, turns)
            ratio = rates["with data"] / rates["one batch"]
            print(f"{frontend:<14} {rates['with data']:10.1f} {rates['one batch']:10.1f} {ratio:20.3f}", flush=True)
            measured[frontend] = {**rates, "ratio": ratio}
    write_results("training_wait", measured)


if __name__ == "__main__":
    main()
