"""Hand-written files of a run, with everything that a report reads."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.config import TrainConfig
from training.evaluation.stored_scores import ScoresOf, StoredScores


@dataclasses.dataclass(frozen=True)
class WrittenRun:
    """The folder of a run, to which a test adds files."""

    root: Path

    def config(self, **fields: Any) -> WrittenRun:
        config = TrainConfig(
            **{"dataset": str(self.root / "gone"), "label_set": "mine@1", "frontend": "spectrogram", **fields}
        )
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "config.json").write_text(json.dumps({"format": 1, **config.to_dict()}))
        return self

    def epochs(self, losses: list[float], **fields: list[float]) -> WrittenRun:
        lines = [
            {"epoch": epoch + 1, "loss": 2 * loss, "validation_loss": loss, "learning_rate": 1e-3, "seconds": 61.0}
            | {name: values[epoch] for name, values in fields.items()}
            for epoch, loss in enumerate(losses)
        ]
        (self.root / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return self

    def evaluation(self, split: str, rows: list[dict[str, Any]], **fields: Any) -> WrittenRun:
        """Writes an evaluation; `rows` are the rows of the table per tag, with any columns."""
        (self.root / "evaluation").mkdir(exist_ok=True)
        tracks = max((row["tracks"] for row in rows), default=0)
        written = {
            "format": 1,
            "split": split,
            "tracks": tracks,
            "tags": len(rows),
            "tags_defined": len(rows),
            "tags_undefined": [],
            "epoch": 1,
            "roc_auc_macro": 0.8125,
            "roc_auc_macro_interval": [0.75, 0.875],
            "pr_auc_macro": 0.4375,
            "pr_auc_macro_interval": [0.375, 0.5],
            **fields,
        }
        (self.root / "evaluation" / f"{split}.json").write_text(json.dumps(written))
        with open(self.root / "evaluation" / f"{split}_per_tag.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]) if rows else ["tag", "positives", "tracks"])
            writer.writeheader()
            writer.writerows(rows)
        return self

    def scores(
        self,
        split: str,
        tags: list[str],
        targets: np.ndarray,
        scores: np.ndarray,
        *,
        track_ids: list[str] | None = None,
        positive_at: float = 0.5,
        checkpoint: str = "abc",
    ) -> WrittenRun:
        """Writes scores of tracks; a NaN target is unknown."""
        ids = tuple(track_ids or [f"track-{number}" for number in range(len(targets))])
        of = ScoresOf(tuple(tags), "mine@1", split, positive_at, checkpoint)
        stored = StoredScores(of, ids, targets.astype(np.float32), scores.astype(np.float32))
        stored.write(str(self.root / "evaluation" / f"{split}_scores.parquet"))
        return self


@pytest.fixture
def written_run(tmp_path: Path) -> WrittenRun:
    """A run with a configuration and no epoch yet."""
    return WrittenRun(tmp_path / "run").config()
