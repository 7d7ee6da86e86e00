"""Reject rates: which track's message is shown, and when a sample stops a build."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.decode.build import build
from pipeline.decode.catalog import Catalog
from pipeline.decode.options import BuildOptions
from pipeline.decode.reject_rate import check_preflight, example_rejects, preflight_size
from schemas.console.errors import UserError
from tests.conftest import small_catalog

CATALOG = Catalog("music/catalog.csv", pa.table({"track_id": ["a"], "uri": ["a.wav"]}), "/music")


def test_the_example_of_a_cause_is_its_first_track(dataset: Path) -> None:
    rows = pq.read_table(dataset / "tracks" / "gen-000.parquet").to_pylist()[:3]
    for row, track, cause in zip(rows, ("c", "a", "b"), ("empty", "empty", None), strict=True):
        row.update(track_id=track, cause=cause, message=f"words of {track}")
    table = pq.read_table(dataset / "tracks" / "gen-000.parquet").schema.empty_table()
    table = type(table).from_pylist(rows, schema=table.schema)
    assert example_rejects(table, CATALOG) == {"empty": ("a", "words of a")}


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("x/a.wav", "/music/x/a.wav"),
        ("/other/a.wav", "/other/a.wav"),
        ("gs://bucket/a.wav", "gs://bucket/a.wav"),
        ("before/a.wav", "before/a.wav"),  # the uri that was tried; the catalog has another one by now
    ],
)
def test_a_summary_shows_the_whole_path_that_was_tried(uri: str, shown: str) -> None:
    tracks = pa.table({"track_id": ["a"], "cause": ["not_found"], "message": [f"no such file: {uri}"]})
    now = "a.wav" if uri.startswith("before") else uri
    catalog = Catalog("music/catalog.csv", pa.table({"track_id": ["a", "b"], "uri": [now, "b.wav"]}), "/music")
    assert example_rejects(tracks, catalog) == {"not_found": ("a", f"no such file: {shown}")}


def test_a_preflight_is_small_against_the_catalog() -> None:
    assert [preflight_size(tracks) for tracks in (1, 24, 100, 1_500_000)] == [0, 6, 25, 36]


def outcomes(kept: int, missing: int, broken: int = 0) -> list[tuple[str, str | None, str]]:
    causes = [None] * kept + ["not_found"] * missing + ["decode_error"] * broken
    return [(f"track {number}", cause, f"words {number}") for number, cause in enumerate(causes)]


@pytest.mark.parametrize(
    ("kept", "missing", "most"), [(36, 0, 0.0), (30, 6, 0.05), (35, 1, 0.01), (0, 36, 1.0), (0, 3, 0.05)]
)
def test_a_sample_that_chance_may_explain_stops_nothing(kept: int, missing: int, most: float) -> None:
    check_preflight("catalog.csv", outcomes(kept, missing), most)


@pytest.mark.parametrize(("kept", "missing", "most"), [(0, 36, 0.05), (24, 12, 0.05), (35, 1, 0.0), (0, 4, 0.05)])
def test_a_sample_that_is_plainly_wrong_stops_the_build_with_its_causes(kept: int, missing: int, most: float) -> None:
    with pytest.raises(UserError) as error:
        check_preflight("catalog.csv", outcomes(kept, missing), most)
    assert f"{missing} not_found, such as track" in str(error.value)
    assert "nothing was built" in str(error.value)
    assert "\n" not in str(error.value)


def test_input_that_is_plainly_wrong_stops_a_build_before_it_starts(tmp_path: Path) -> None:
    catalog = small_catalog(tmp_path, 40, missing=40)
    with pytest.raises(
        UserError, match="of 10 tracks tried before the build 10 were rejected.*10 not_found, such as"
    ) as error:
        build(catalog, str(tmp_path / "data"), BuildOptions(workers=1))
    assert "\n" not in str(error.value)
    assert f"no such file: {tmp_path}/" in str(error.value)
    assert not (tmp_path / "data").exists()
