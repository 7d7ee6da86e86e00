"""Models that were imported from the wheel of musicnn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.conftest import compiled_graphs

ImportModel = Callable[[str], "ImportedModel"]


@dataclasses.dataclass(frozen=True)
class ImportedModel:
    """The two folders of an imported model.

    Attributes:
        saved_model: its SavedModel.
        run: its run.
    """

    saved_model: str
    run: str


@pytest.fixture(scope="session")
def import_model(musicnn_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> ImportModel:
    """Imports a model by its name, once for all tests, which only read it."""
    from training.published.import_weights import import_weights

    folder = tmp_path_factory.mktemp("imported")
    found: dict[str, ImportedModel] = {}

    def imported(name: str) -> ImportedModel:
        if name not in found:
            with compiled_graphs():  # as a SavedModel holds them
                summary = import_weights("musicnn", name, str(musicnn_wheel), str(folder / name))
            found[name] = ImportedModel(summary.exported.out, summary.run)
        return found[name]

    return imported
