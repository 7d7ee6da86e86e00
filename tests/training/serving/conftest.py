"""Tests of SavedModels compile graphs, as commands do."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.features import WaveformSpec
from tests.pipeline.tagging.conftest import write_model


@pytest.fixture(autouse=True)
def compiled(graphs: None) -> None:
    """Compiles graphs in each test of this folder."""


@pytest.fixture(scope="session")
def small_waveform_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A waveform model with random weights; tests only read it."""
    return write_model(tmp_path_factory.mktemp("model") / "waveform", WaveformSpec("center:30"))
