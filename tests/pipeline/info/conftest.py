"""Fixtures for the tests of `info`: label versions of the small dataset, and label rows from an array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.info.label_rows import LabelRows
from pipeline.labels.overlay import LabelSummary, lay_labels
from tests.conftest import write_csv

Lay = Callable[..., LabelSummary]
MakeRows = Callable[..., LabelRows]


@pytest.fixture
def lay(dataset: Path, small_corpus) -> Lay:
    """Applies a label set, given as YAML, to the dataset, with the corpus's annotations or with the given rows."""

    def lay_rows(text: str, rows: Sequence[tuple[object, ...]] | None = None) -> LabelSummary:
        label_set, annotations = dataset.parent / "set.yaml", small_corpus.annotations
        label_set.write_text(text, encoding="utf-8")
        if rows is not None:
            annotations = str(dataset.parent / "own.csv")
            write_csv(Path(annotations), ("track_id", "tag", "value"), rows)
        return lay_labels(str(dataset), [annotations], str(label_set))

    return lay_rows


@pytest.fixture(scope="session")
def make_rows() -> MakeRows:
    """Returns a function that makes label rows from a bool array [tracks, tags]."""

    def rows_of(has: np.ndarray, side: np.ndarray | None = None, group: np.ndarray | None = None) -> LabelRows:
        track, tag = (each.astype(np.int32) for each in np.nonzero(has))
        count = len(has)
        groups = np.arange(count) if group is None else group
        return LabelRows(
            track_ids=pa.chunked_array([pa.array([f"{number:06d}" for number in range(count)])]),
            side=(np.zeros(count) if side is None else side).astype(np.int32),
            group=groups.astype(np.int32),
            groups=pa.array([f"artist {number}" for number in range(int(groups.max(initial=-1)) + 1)]),
            track=track,
            tag=tag,
            value=np.ones(len(tag), np.float32),
            positive=np.ones(len(tag), bool),
            removed=0,
        )

    return rows_of
