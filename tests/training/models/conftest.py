"""Tests of models compile graphs, as commands do."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def compiled(graphs: None) -> None:
    """Compiles graphs in each test of this folder."""
