"""The demo, with fewer and shorter tracks: every step runs and the summary has the documented fields."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_demo_leaves_what_it_promises_and_runs_again(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "pipeline.demo", "--out", str(out)]
    command += ["--tracks", "40", "--seconds", "4", "--epochs", "1"]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert first.returncode == 0, first.stdout[-2000:] + first.stderr[-2000:]
    for name in ("corpus/catalog.csv", "dataset/dataset.json", "run/config.json", "run/saved_model/saved_model.pb"):
        assert (out / name).exists(), name
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["tracks"], summary["rejects"]) == (40, 0)
    evaluation = json.loads((out / "run" / "evaluation" / "test.json").read_text())
    for name in ("roc_auc_macro", "pr_auc_macro", "baseline_roc_auc_macro", "baseline_pr_auc_macro"):
        assert summary[name] == evaluation[name]
        assert 0 <= summary[name] <= 1
        assert summary[f"{name}_interval"] == [None, None]  # so few artists give no interval
        assert f" {summary[name]:.3f}" in first.stdout
    steps = ["corpus", "build", "split", "label", "verify", "train", "evaluate", "export", "tag"]
    assert sorted(summary["seconds"]) == sorted(steps)
    assert all(f"== {step}\n$ python " in first.stdout for step in steps)
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-2000:]
    assert "up to date, nothing to decode" in again.stdout
    repeated = json.loads((out / "summary.json").read_text())
    assert {**repeated, "seconds": 0} == {**summary, "seconds": 0}
