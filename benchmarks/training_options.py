"""What each option of training gives and costs, on a rendered corpus: python -m benchmarks.training_options

Every option is turned on alone, with some seeds each, and its test metrics stand beside those of the same seeds without it. One
soundfont says little about real music: the command is what to take home, with --dataset and --label-set of one's own.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import write_results
from training.config import TrainConfig
from training.study.plan import StudyRun
from training.study.training_process import train_apart

TRACKS, SECONDS = 900, 8
SEEDS = 2
# A network that learns this corpus in minutes on two cores.
BASE: dict[str, Any] = {
    **{"patch_seconds": 2.0, "batch_size": 16, "num_filt": 4, "dense_units": 100, "dropout": 0.2, "epochs": 16},
    **{"batch_norm_momentum": 0.9, "select_by": "pr_auc", "validate_every": 4, "precision": "mixed_bfloat16"},
}
OF_BOTH: dict[str, dict[str, Any]] = {
    "mixup 0.2": {"mixup": 0.2},
    "balanced classes": {"class_weights": "balanced"},
    "label smoothing 0.1": {"label_smoothing": 0.1},
    "weight decay 0.01": {"weight_decay": 0.01},
    "clipping at 1": {"clip_norm": 1.0},
    "warm-up 50, cosine": {"warmup_steps": 50, "schedule": "cosine"},
    "averaged weights 0.98": {"ema": 0.98},
    "normalised input": {"normalize_input": True},
}
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "spectrogram": {
        "SpecAugment": {"time_masks": 2, "time_mask_seconds": 0.2, "frequency_masks": 2, "frequency_mask_bands": 8},
        **OF_BOTH,
    },
    "waveform": {"gain 6 dB, polarity": {"gain_db": 6.0, "flip_polarity": True}, **OF_BOTH},
}


def write_corpus(folder: Path) -> tuple[str, str]:
    """The demonstration corpus, built and labelled; returns dataset and label set."""
    from pipeline.build.build import build
    from pipeline.build.options import BuildOptions
    from pipeline.corpus.render import render_corpus
    from pipeline.labels.overlay import lay_labels
    from pipeline.labels.splits import DEFAULT_SPLIT, SplitMethod, make_split
    from schemas.dataset import Dataset

    corpus, root = folder / "corpus", str(folder / "data")
    render_corpus(str(corpus), tracks=TRACKS, seed=1, seconds=SECONDS)
    build(str(corpus / "catalog.csv"), root, BuildOptions(excerpt="full"))
    make_split(Dataset.open(root), DEFAULT_SPLIT, SplitMethod((70, 10, 20)))
    (folder / "options.yaml").write_text("name: options\nmin_tracks: 20\n")
    lay_labels(root, [str(corpus / "annotations.csv")], str(folder / "options.yaml"))
    return root, "options"


def main() -> None:
    """Measure, print a table, write JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--dataset")
    arguments.add_argument("--label-set")
    arguments.add_argument("--seeds", type=int, default=SEEDS)
    arguments.add_argument("--epochs", type=int, default=BASE["epochs"])
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset, label_set = (given.dataset, given.label_set) if given.dataset else write_corpus(Path(folder))
        measured: dict[str, Any] = {}
        print(
            f"{'front-end':<12} {'option':<24} {'ROC-AUC':>8} {'+/-':>8} {'PR-AUC':>8} {'+/-':>8} {'time':>6}",
            flush=True,
        )
        for frontend, options in OPTIONS.items():
            base = TrainConfig(dataset, label_set, frontend, **{**BASE, "epochs": given.epochs})  # type: ignore[arg-type]
            plain = _trained(base, given.seeds, Path(folder, frontend))
            _print(frontend, "none", plain, plain)
            measured[f"{frontend}, none"] = plain
            for name, fields in options.items():
                rows = _trained(dataclasses.replace(base, **fields), given.seeds, Path(folder, f"{frontend} {name}"))
                _print(frontend, name, rows, plain)
                measured[f"{frontend}, {name}"] = rows
    write_results("training_options", measured)


def _trained(config: TrainConfig, seeds: int, folder: Path) -> list[dict[str, float]]:
    """ROC-AUC, PR-AUC and seconds of training for each seed."""
    rows = []
    for seed in range(seeds):
        run = StudyRun(f"seed {seed}", dataclasses.replace(config, seed=seed))
        row = train_apart(run, str(folder / f"seed {seed}"), None)
        rows.append({"roc_auc": row.roc_auc, "pr_auc": row.pr_auc, "seconds": row.seconds})
    return rows


def _print(frontend: str, option: str, rows: list[dict[str, float]], plain: list[dict[str, float]]) -> None:
    """A line with means over seeds, the mean difference to no option, and the time beside it."""

    def mean(name: str, of: list[dict[str, float]]) -> float:
        return float(np.mean([row[name] for row in of]))

    areas = "".join(f" {mean(n, rows):8.4f} {mean(n, rows) - mean(n, plain):+8.4f}" for n in ("roc_auc", "pr_auc"))
    print(f"{frontend:<12} {option:<24}{areas} {mean('seconds', rows) / mean('seconds', plain):6.2f}", flush=True)


if __name__ == "__main__":
    main()
