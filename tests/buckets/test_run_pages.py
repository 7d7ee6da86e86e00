"""The report and the TensorBoard folder of a run in a bucket."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.buckets.conftest import Bucket
from tests.buckets.proxy import Proxy
from tests.training.report.conftest import WrittenRun
from training.report.page import write_report
from training.tensorboard.board import TensorBoardFolder
from training.tensorboard.events import points_of

pytestmark = pytest.mark.slow


def test_a_report_in_a_bucket_is_that_of_the_same_files_on_a_disk(bucket: Bucket, store: Proxy, tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run").config(dataset="gone").epochs([0.5, 0.4])
    rows = [{"tag": "a", "positives": 3, "tracks": 30, "roc_auc": 0.7, "pr_auc": 0.2, "threshold": 0.5}]
    targets = np.array([[float(number < 3)] for number in range(30)])
    run.evaluation("test", rows).scores("test", ["a"], targets, np.linspace(1, 0, 30)[:, None])
    bucket.upload(run.root, "run")
    there = write_report(bucket.uri("run"))
    assert there.has_tracks
    write_report(str(run.root))
    expected = (run.root / "report.html").read_text().replace(str(run.root), bucket.uri("run"))
    assert bucket.get("run/report.html").decode() == expected


def test_a_resumed_run_in_a_bucket_keeps_the_points_of_its_checkpoint(bucket: Bucket, store: Proxy) -> None:
    board = TensorBoardFolder(bucket.uri("run/tensorboard"))
    for step in (10, 20, 30):
        board.add_loss(step, 1 / step)
        board.flush(step)
    again = TensorBoardFolder(bucket.uri("run/tensorboard"))
    again.begin(20)
    again.add_loss(20, 0.25)
    again.flush(20)
    kept = bucket.get("run/tensorboard/events.out.tfevents.step-000000000020")
    assert [point.step for point in points_of(kept, where="20")] == [20]
    with pytest.raises(AssertionError, match="404"):
        bucket.get("run/tensorboard/events.out.tfevents.step-000000000030")
