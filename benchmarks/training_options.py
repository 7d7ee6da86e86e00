"""Effect and cost of each training option, on a rendered corpus: python -m benchmarks.training_options

Every option is turned on alone, and its test metrics are compared with those of the same seeds without it. The row
without any option shows the standard deviation between seeds: a smaller difference means nothing. The cost is CPU time,
which other work on the machine affects less. One soundfont says little about real music: run the command with your own
--dataset and --label-set.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path
from statistics import stdev
from typing import Any

from benchmarks.demo_labels import write_corpus
from benchmarks.results import cpu_seconds_of_children, mean, write_results
from training.config import TrainConfig
from training.study.plan import StudyRun
from training.study.training_process import train_apart

SEEDS = 1  # per option
PLAIN_SEEDS = 3  # without any option, at least
# A network that learns this corpus in minutes on two cores.
BASE: dict[str, Any] = {
    **{"patch_seconds": 1.5, "batch_size": 16, "num_filt": 4, "dense_units": 100, "dropout": 0.2, "epochs": 10},
    **{"batch_norm_momentum": 0.9, "select_by": "pr_auc", "validate_every": 5, "precision": "mixed_bfloat16"},
}
NORMALISED: dict[str, dict[str, Any]] = {"normalised input": {"normalize_input": True}}
# An option that does not depend on the front-end is measured with only one.
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "spectrogram": {
        "SpecAugment": {"time_masks": 2, "time_mask_seconds": 0.2, "frequency_masks": 2, "frequency_mask_bands": 8},
        "mixup 0.2": {"mixup": 0.2},
        "balanced classes": {"class_weights": "balanced"},
        "balanced sampling": {"sampling": "balanced"},
        "label smoothing 0.1": {"label_smoothing": 0.1},
        "weight decay 0.01": {"weight_decay": 0.01},
        "clipping at 1": {"clip_norm": 1.0},
        "warm-up 50, cosine": {"warmup_steps": 50, "schedule": "cosine"},
        "averaged weights 0.98": {"ema": 0.98},
        **NORMALISED,
    },
    "waveform": {"gain 6 dB, polarity": {"gain_db": 6.0, "flip_polarity": True}, **NORMALISED},
}


def main() -> None:
    """Measure, print a table, write JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--dataset")
    arguments.add_argument("--label-set")
    arguments.add_argument("--frontend", choices=list(OPTIONS))
    arguments.add_argument("--seeds", type=int, default=SEEDS)
    arguments.add_argument("--epochs", type=int, default=BASE["epochs"])
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset, label_set = (given.dataset, given.label_set) if given.dataset else write_corpus(Path(folder))
        measured: dict[str, Any] = {}
        print(
            f"{'front-end':<12} {'option':<24} {'ROC-AUC':>8} {'+/-':>8} {'PR-AUC':>8} {'+/-':>8} {'CPU':>6}",
            flush=True,
        )
        for frontend, options in OPTIONS.items():
            if given.frontend not in (None, frontend):
                continue
            base = TrainConfig(dataset, label_set, frontend, **{**BASE, "epochs": given.epochs})  # type: ignore[arg-type]
            plain = _trained(base, max(PLAIN_SEEDS, given.seeds), Path(folder, frontend))
            _print_plain(frontend, plain)
            measured[f"{frontend}, none"] = plain
            for name, fields in options.items():
                rows = _trained(dataclasses.replace(base, **fields), given.seeds, Path(folder, f"{frontend} {name}"))
                _print(frontend, name, rows, plain[: given.seeds])
                measured[f"{frontend}, {name}"] = rows
    write_results("training_options", measured)


def _trained(config: TrainConfig, seeds: int, folder: Path) -> list[dict[str, float]]:
    """ROC-AUC, PR-AUC and CPU seconds of training and evaluation for each seed."""
    rows = []
    for seed in range(seeds):
        run = StudyRun(f"seed {seed}", dataclasses.replace(config, seed=seed))
        before = cpu_seconds_of_children()
        row = train_apart(run, str(folder / f"seed {seed}"), None)
        rows.append({"roc_auc": row.roc_auc, "pr_auc": row.pr_auc, "cpu_seconds": cpu_seconds_of_children() - before})
    return rows


def _print_plain(frontend: str, rows: list[dict[str, float]]) -> None:
    """Print a row with means over seeds and the standard deviation between them."""
    areas = "".join(f" {mean(rows, n):8.4f} {stdev(row[n] for row in rows):8.4f}" for n in ("roc_auc", "pr_auc"))
    print(f"{frontend:<12} {'none':<24}{areas} {1:6.2f}", flush=True)


def _print(frontend: str, option: str, rows: list[dict[str, float]], plain: list[dict[str, float]]) -> None:
    """Print a row with means over seeds, the mean difference from no option, and the relative CPU time."""
    areas = "".join(f" {mean(rows, n):8.4f} {mean(rows, n) - mean(plain, n):+8.4f}" for n in ("roc_auc", "pr_auc"))
    cpu = mean(rows, "cpu_seconds") / mean(plain, "cpu_seconds")
    print(f"{frontend:<12} {option:<24}{areas} {cpu:6.2f}", flush=True)


if __name__ == "__main__":
    main()
