"""Cost of batch statistics per replica in quality, and of synchronized ones in time: python -m benchmarks.batch_norm_replicas

A global batch of 16 runs on one device, and on four logical CPU devices with 4 examples each. Synchronized statistics
equal those of the global batch with any number of replicas (a test checks this up to rounding). The row of one replica
therefore shows their quality, and the row of four the cost of computing them together, without a network between devices.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.demo_labels import write_corpus
from benchmarks.results import cpu_seconds_of_children, mean, write_results

ROOT = Path(__file__).parents[1]
BATCH_SIZE = 16
SEEDS = 2
EPOCHS = 10
# Number of replicas, and whether their statistics are synchronized.
ROWS = ((1, False), (4, False), (4, True))
NETWORK = "--patch-seconds 1.5 --num-filt 4 --dense-units 100 --dropout 0.2 --batch-norm-momentum 0.9".split()
CHOICE = "--select-by pr_auc --validate-every 5".split()
ON_LOGICAL_CPUS = (
    "import sys, runpy, tensorflow as tf\n"
    "cpu = tf.config.list_physical_devices('CPU')[0]\n"
    "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * int(sys.argv[1]))\n"
    "sys.argv = sys.argv[2:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)


def measure(
    data: list[str], frontend: str, replicas: int, synchronized: bool, seed: int, run: Path
) -> dict[str, float]:
    """Test ROC-AUC, PR-AUC and CPU seconds of one training."""
    command = ["training/run.py", "train", *data, "--frontend", frontend, "--seed", str(seed), "--out", str(run)]
    command += [*NETWORK, *CHOICE, "--batch-size", str(BATCH_SIZE)]
    command.append("--synchronized-batch-norm" if synchronized else "--no-synchronized-batch-norm")
    if replicas > 1:
        command = ["-c", ON_LOGICAL_CPUS, str(replicas), *command, "--strategy", "mirrored"]
    before = cpu_seconds_of_children()
    _run(command)
    cpu_seconds = cpu_seconds_of_children() - before
    _run(["training/run.py", "evaluate", "--run", str(run), "--split", "test"])
    figures = json.loads((run / "evaluation" / "test.json").read_text())
    return {"roc_auc": figures["roc_auc_macro"], "pr_auc": figures["pr_auc_macro"], "cpu_seconds": cpu_seconds}


def _run(arguments: list[str]) -> None:
    subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def main() -> None:
    """Measure, print a table, write JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--dataset")
    arguments.add_argument("--label-set")
    arguments.add_argument("--seeds", type=int, default=SEEDS)
    arguments.add_argument("--epochs", type=int, default=EPOCHS)
    given = arguments.parse_args()
    measured: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        dataset, label_set = (given.dataset, given.label_set) if given.dataset else write_corpus(Path(folder))
        data = ["--dataset", dataset, "--label-set", label_set, "--epochs", str(given.epochs)]
        print(f"{'front-end':<12} {'examples per replica':<26} {'ROC-AUC':>8} {'PR-AUC':>8} {'CPU':>6}", flush=True)
        for frontend in ("spectrogram", "waveform"):
            alone: list[dict[str, float]] = []
            for replicas, synchronized in ROWS:
                name = f"{BATCH_SIZE // replicas} x {replicas}{', synchronized' if synchronized else ''}"
                rows = [
                    measure(data, frontend, replicas, synchronized, seed, Path(folder, f"{frontend} {name} {seed}"))
                    for seed in range(given.seeds)
                ]
                alone = alone or rows
                measured[f"{frontend}, {name}"] = rows
                print(f"{frontend:<12} {name:<26} {_line(rows, alone)}", flush=True)
    write_results("batch_norm_replicas", measured)


def _line(rows: list[dict[str, float]], alone: list[dict[str, float]]) -> str:
    """Means over seeds, and CPU time relative to one replica."""
    cpu = mean(rows, "cpu_seconds") / mean(alone, "cpu_seconds")
    return f"{mean(rows, 'roc_auc'):8.4f} {mean(rows, 'pr_auc'):8.4f} {cpu:6.2f}"


if __name__ == "__main__":
    main()
