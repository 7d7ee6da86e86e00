"""A folder of every kind that storage works in."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest


@pytest.fixture(params=["local", "file", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder that does not exist yet: a path, a file:// URI, and one in a store reached through fsspec."""
    if request.param == "memory":
        store = fsspec.filesystem("memory")
        if store.exists("/bucket"):
            store.rm("/bucket", recursive=True)
        return "memory://bucket/data"
    return {"local": "", "file": "file://"}[request.param] + str(tmp_path / "data")
