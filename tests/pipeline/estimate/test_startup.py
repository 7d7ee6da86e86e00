"""The cost of a build beside its tracks is measured with real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.estimate.startup import measure_startup
from schemas.console.errors import TagscaleError


@pytest.mark.slow
def test_the_job_and_a_worker_each_cost_at_least_an_import_of_beam(tmp_path: Path) -> None:
    for spent in measure_startup(str(tmp_path)):
        assert spent.cpu > 0.1
        assert spent.wall > 0.1


def test_an_installation_that_cannot_build_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "apache_beam.py").write_text("raise ImportError('no beam here')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(TagscaleError, match="a build of a catalog of one absent track failed here: .*no beam here"):
        measure_startup(str(tmp_path))
