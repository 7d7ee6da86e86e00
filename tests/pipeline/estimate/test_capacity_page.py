"""The tables of docs/capacity.md are written by the command that measures and simulates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.capacity_grid import Setting, build_of
from benchmarks.capacity_page import MARK, write_page
from benchmarks.capacity_work import Measured

PAGE = Path(__file__).parents[3] / "docs" / "capacity.md"
MEASURED = Measured(np.array([0.2, 0.3]), np.array([4e6, 4e6]), 0.01, 3.0, 1e-5, 1e-4, 1e3, 1e-5, 5e3, 1e-3)


def test_what_follows_the_mark_is_replaced_and_what_precedes_it_stays(tmp_path: Path) -> None:
    page = tmp_path / "capacity.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    write_page(page, "| a |\n")
    assert page.read_text(encoding="utf-8") == f"{PAGE.read_text(encoding='utf-8').partition(MARK)[0]}{MARK}\n\n| a |\n"
    page.write_text("no mark", encoding="utf-8")
    with pytest.raises(ValueError, match="expected a line"):
        write_page(page, "")


@pytest.mark.parametrize("workers", [50, 2_000])
def test_a_build_takes_at_least_as_long_as_each_of_its_limits(workers: int) -> None:
    row = build_of(200_000, workers, 200, Setting(MEASURED))
    assert row.binds in row.bounds
    assert all(row.seconds > bound for name, bound in row.bounds.items() if name != "starting")
    # 200,000 tracks in 30 s of 32,000 bytes a second, whole artists in each shard.
    assert row.shards == pytest.approx(200_000 * 30 * 32_000 / (200 << 20), rel=0.02)
    # Two round trips of 50 ms, 4 MB in and 1.3 MB out at 50 MB/s, and the CPU time.
    work = 200_000 * (0.25 + 0.1 + (4e6 + 30 * 44_000) / 50e6)
    assert row.efficiency == pytest.approx(work / workers / row.seconds, rel=0.03)
    assert row.dollars >= work / 3600 * (0.056 + 3.75 * 0.003557)
