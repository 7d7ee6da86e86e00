"""A search of many tracks finds nearly all of the nearest, never a removed one, and is exact where it must be."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.neighbors import NearestNeighbors

from benchmarks.synthetic_tags import TaggedTracks, write_generation
from pipeline.removal.tagged import take_out
from pipeline.search import graph_files
from pipeline.search.graphs import Graphs, make_graph, nearest_by_graphs
from pipeline.search.index import open_index
from pipeline.search.similar import Similar, SimilarOptions, similar
from schemas.sole_writer import sole_writer
from schemas.storage.stored_tables import table_bytes
from schemas.tables import REMOVED
from schemas.tags import Tags, TagsLayout
from tests.pipeline.search.conftest import harm_file

Tracks = Callable[..., TaggedTracks]
COUNT = 10
MANY, FEW = 3_000, 400
UP_TO = 300  # tracks of which all are compared


def approximately(count: int = COUNT, **given: object) -> SimilarOptions:
    return SimilarOptions(count, **{"exact_up_to": UP_TO, **given})  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_files, "PART_ROWS", 1_200)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, make_tracks: Tracks) -> tuple[Path, TaggedTracks]:
    """Tags of many tracks; tests leave them as they are."""
    root, tracks = tmp_path_factory.mktemp("many") / "tags", make_tracks(MANY)
    write_generation(root, tracks, tags=("rock", "hip hop", "a>b", "pop"))
    return root, tracks


@pytest.fixture
def few(tmp_path: Path, make_tracks: Tracks, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, TaggedTracks]:
    """Tags of few tracks in three graphs."""
    monkeypatch.setattr(graph_files, "PART_ROWS", 150)
    tracks = make_tracks(FEW)
    write_generation(tmp_path / "tags", tracks)
    return tmp_path / "tags", tracks


def brute_force(tracks: TaggedTracks, query: int, count: int, allowed: np.ndarray | None = None) -> list[str]:
    """Ids of the nearest among the allowed rows without the query, by scikit-learn in float64."""
    rows = np.setdiff1d(np.arange(len(tracks.ids)) if allowed is None else np.flatnonzero(allowed), [query])
    values = tracks.embeddings.astype(np.float64)
    near = NearestNeighbors(n_neighbors=min(count, len(rows)), algorithm="brute", metric="cosine").fit(values[rows])
    return [tracks.ids[rows[place]] for place in near.kneighbors(values[[query]], return_distance=False)[0]]


def ids_of(found: Similar) -> list[str | None]:
    return [one.track_id for one in found.neighbours]


def graph_bytes(root: Path) -> dict[str, bytes]:
    names = [*(root / "index").glob("*.usearch"), *(root / "index").glob("*.graphs.json")]
    return {path.name: path.read_bytes() for path in sorted(names)}


def remove_tracks(root: Path, ids: list[str]) -> None:
    table = pa.table({"track_id": sorted(ids), "purged": [False] * len(ids)}, schema=REMOVED)
    Path(TagsLayout(str(root)).removed).write_bytes(table_bytes(table))


def test_nearly_all_of_the_nearest_are_found(many: tuple[Path, TaggedTracks]) -> None:
    root, tracks = many
    values = tracks.embeddings.astype(np.float64)
    units = values / np.linalg.norm(values, axis=1, keepdims=True)
    hits, queries = 0, range(0, MANY, 75)
    for query in queries:
        found = similar(str(root), track=tracks.ids[query], options=approximately())
        assert (found.exact, found.tracks, found.passing) == (False, MANY, MANY - 1)
        hits += len(set(ids_of(found)) & set(brute_force(tracks, query, COUNT)))
        rows = [tracks.ids.index(str(one)) for one in ids_of(found)]
        assert len(set(rows) - {query}) == COUNT
        cosines = units[rows] @ units[query]
        assert [one.similarity for one in found.neighbours] == pytest.approx(cosines, abs=1e-11)
        assert sorted(cosines, reverse=True) == pytest.approx(cosines, abs=1e-11)
    assert hits >= 0.95 * COUNT * len(queries)
    assert len(graph_bytes(root)) == 3 + 1


def test_a_search_with_filters_is_exact(many: tuple[Path, TaggedTracks]) -> None:
    root, tracks = many
    query = 1_234
    similar(str(root), track=tracks.ids[query], options=approximately())
    rock = tracks.scores[:, 0].astype(np.float64)
    group, audio = np.array(tracks.groups) != tracks.groups[query], np.array(tracks.pcm) != tracks.pcm[query]
    for given, allowed in (
        ({"conditions": ["rock>0.5"]}, rock > 0.5),
        ({"conditions": ["rock>0.995"]}, rock > 0.995),
        ({"not_same_group": True}, group),
        ({"not_same_audio": True}, audio),
        ({"conditions": ["rock<=0.2"], "not_same_group": True, "not_same_audio": True}, (rock <= 0.2) & group & audio),
        ({"exact": True}, None),
        ({"exact_up_to": MANY}, None),
    ):
        found = similar(str(root), track=tracks.ids[query], options=approximately(25, **given))
        assert found.exact
        assert ids_of(found) == brute_force(tracks, query, 25, allowed)


def test_removed_tracks_never_come_back_and_others_take_their_places(
    tmp_path: Path, many: tuple[Path, TaggedTracks]
) -> None:
    whole, tracks = many
    root = tmp_path / "tags"
    similar(str(whole), track=tracks.ids[7], options=approximately())
    shutil.copytree(whole, root)
    made = graph_bytes(root)
    for removed, is_exact in ((1, False), (60, False), (MANY - 5, False), (MANY - 1, True)):
        gone = brute_force(tracks, 7, removed)
        remove_tracks(root, gone)
        found = similar(str(root), track=tracks.ids[7], options=approximately())
        allowed = ~np.isin(tracks.ids, gone)
        wanted = brute_force(tracks, 7, COUNT, allowed) if removed < MANY - 1 else []
        assert len(found.neighbours) == len(wanted)
        assert set(ids_of(found)).isdisjoint(gone)
        assert len(set(ids_of(found)) & set(wanted)) >= 0.9 * len(wanted)
        assert (found.exact, found.passing) == (is_exact, len(tracks.ids) - removed - 1)
    assert graph_bytes(root) == made


def test_a_purge_removes_the_graphs(few: tuple[Path, TaggedTracks]) -> None:
    root, tracks = few
    before = similar(str(root), track=tracks.ids[0], options=approximately())
    gone = ids_of(before)[:3]
    held = [tracks.embeddings[tracks.ids.index(str(one))].tobytes() for one in gone]
    assert all(any(one in data for data in graph_bytes(root).values()) for one in held)
    take_out(str(root), pa.array(gone), purge=True)
    assert graph_bytes(root) == {}
    after = similar(str(root), track=tracks.ids[0], options=approximately())
    assert (after.exact, len(after.neighbours)) == (False, COUNT)
    assert set(ids_of(after)).isdisjoint(gone)
    assert not any(one in data for data in graph_bytes(root).values() for one in held)


def test_graphs_that_name_too_few_are_not_relied_on(few: tuple[Path, TaggedTracks]) -> None:
    root, tracks = few
    found = similar(str(root), track=tracks.ids[3], options=approximately(FEW))
    assert ids_of(found) == brute_force(tracks, 3, FEW)

    class Short(Graphs):
        def named(self, query: np.ndarray, count: int) -> np.ndarray:
            return super().named(query, count)[: COUNT - 1]

    tags = Tags.open(str(root))
    with open_index(tags) as index:
        graphs = graph_files.open_graphs(tags, index)
        assert graphs is not None
        query, everything = tracks.embeddings[3], np.ones(FEW, bool)
        wanted = (index.vectors, index.norms, query, everything, index.rows["track_id"])
        assert nearest_by_graphs(Short(graphs.parts, graphs.mapped), *wanted, COUNT) is None
        assert nearest_by_graphs(graphs, *wanted, COUNT) is not None
        assert nearest_by_graphs(graphs, *wanted, 5_000) is not None  # of all


def test_no_graphs_are_made_for_a_search_that_they_would_not_help(
    many: tuple[Path, TaggedTracks], tmp_path: Path
) -> None:
    whole, tracks = many
    shutil.copytree(whole, tmp_path / "tags", ignore=shutil.ignore_patterns("index"))
    found = similar(str(tmp_path / "tags"), track=tracks.ids[3], options=approximately(MANY))
    assert found.exact
    assert ids_of(found) == brute_force(tracks, 3, MANY)
    assert graph_bytes(tmp_path / "tags") == {}


@pytest.mark.parametrize("ending", [".0.usearch", ".2.usearch", ".graphs.json"])
@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "lose"])
def test_damaged_graphs_are_made_again(
    few: tuple[Path, TaggedTracks], ending: str, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root, tracks = few
    found = similar(str(root), track=tracks.ids[0], options=approximately())
    whole = graph_bytes(root)
    harm_file(root / "index", ending, harm)
    capsys.readouterr()
    assert similar(str(root), track=tracks.ids[0], options=approximately()) == found
    assert graph_bytes(root) == whole
    said = capsys.readouterr().err
    assert said.count("the graphs are made again") == (0 if (harm, ending) == ("lose", ".graphs.json") else 1)


def test_graphs_go_with_their_index(few: tuple[Path, TaggedTracks], tmp_path: Path, make_tracks: Tracks) -> None:
    root, tracks = few
    found = similar(str(root), track=tracks.ids[0], options=approximately())
    whole = graph_bytes(root)
    other = tmp_path / "other"
    write_generation(other, make_tracks(FEW, seed=1), model="b" * 64)
    similar(str(other), track=tracks.ids[0], options=approximately())
    for (_, data), name in zip(graph_bytes(other).items(), whole, strict=True):
        (root / "index" / name).write_bytes(data)
    assert graph_bytes(root) != whole
    assert similar(str(root), track=tracks.ids[0], options=approximately()) == found
    assert graph_bytes(root) == whole
    (vectors,) = (root / "index").glob("*.vectors")
    vectors.write_bytes(b"")
    assert similar(str(root), track=tracks.ids[0], options=SimilarOptions()).exact
    assert graph_bytes(root) == {}
    similar(str(root), track=tracks.ids[0], options=approximately())
    assert graph_bytes(root) == whole
    write_generation(root, make_tracks(50, seed=2, first=FEW))
    similar(str(root), track=tracks.ids[0], options=approximately())
    assert len(graph_bytes(root)) == 4
    assert graph_bytes(root).keys().isdisjoint(whole)


def test_graphs_are_the_same_bytes_however_many_cores_make_them(
    few: tuple[Path, TaggedTracks], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, tracks = few
    made = []
    for cores in (1, 4):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        similar(str(root), track=tracks.ids[0], options=approximately())
        made.append(graph_bytes(root))
        shutil.rmtree(root / "index")
    assert len(made[0]) == 4
    assert made[0] == made[1]


def test_without_graphs_the_search_is_exact_and_one_line_says_why(
    few: tuple[Path, TaggedTracks], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, tracks = few
    wanted = similar(str(root), track=tracks.ids[0])
    assert wanted.exact

    def check(words: str) -> None:
        capsys.readouterr()
        assert similar(str(root), track=tracks.ids[0], options=approximately()) == wanted
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("warning: ")
        assert words in said
        assert graph_bytes(root) == {}

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "usearch", None)
        check("usearch is not installed for")
        assert ids_of(wanted) == brute_force(tracks, 0, COUNT)
    with sole_writer(str(root / "index")):
        check("another command is changing this index")
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(graph_files, "publish", full)
        check("the graphs cannot be written there: No space left on device; this search is exact")
    with monkeypatch.context() as patch:
        patch.setattr(graph_files, "make_graph", lambda *given, **named: make_graph(*given[:2], "/dev/full", **named))
        check("Failed to serialize into stream; this search is exact")
    assert not similar(str(root), track=tracks.ids[0], options=approximately()).exact
