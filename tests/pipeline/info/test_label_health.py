from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pytest

from pipeline.info.findings import findings
from pipeline.info.label_health import LabelHealth
from pipeline.info.overview import info
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import make_split
from pipeline.removal.remove import remove
from schemas.dataset import Dataset
from schemas.label_version import open_labels
from schemas.tables import SPLITS


@pytest.fixture
def health(dataset: Path, lay):
    """Lays labels as `lay` does, over a split with tracks on every side, and returns their health."""
    make_split(Dataset.open(str(dataset)), "default", SplitMethod((50.0, 25.0, 25.0)))

    def health_of(text: str, rows=None) -> LabelHealth:
        (found,) = info(str(dataset), lay(text, rows).name).labels
        assert all(found.tracks.values())
        return found

    return health_of


def _plain(dataset: Path, name: str) -> tuple[dict[str, str], dict[tuple[str, str], float | None]]:
    """Track -> side, and (track, tag) -> value, read from the table alone."""
    labels = open_labels(Dataset.open(str(dataset)), name)
    rows = labels.table.to_pylist()
    values = {
        (row["track_id"], labels.vocabulary[tag]): value
        for row in rows
        for tag, value in zip(row["tags"], row["values"], strict=True)
    }
    return {row["track_id"]: row["split"] for row in rows}, values


@pytest.mark.parametrize("missing", ["negative", "unknown"])
@pytest.mark.parametrize("values", ["binary", "graded"])
def test_counts_of_each_tag_are_those_of_a_plain_count(
    dataset: Path, small_corpus, health, missing: str, values: str
) -> None:
    rows = [
        (row[0], tag, "" if (number + bit) % 5 == 0 else f"{(number * 7 + bit) % 21 / 20:.2f}")
        for number, row in enumerate(small_corpus.rows)
        for bit, tag in enumerate(("a", "b", "c"))
        if number % (bit + 2)
    ]
    found = health(f"name: x\nvalues: {values}\nmissing: {missing}\npositive_at: 0.4\n", rows)
    sides, value_of = _plain(dataset, "x")
    groups = {row[0]: row[2] for row in small_corpus.rows}
    assert found.tracks == {side: list(sides.values()).count(side) for side in SPLITS}
    assert {tag.tag for tag in found.tags} == {"a", "b", "c"}
    for tag in found.tags:
        positive = [track for track in sides if (value_of.get((track, tag.tag)) or 0.0) >= 0.4 - 1e-6]
        unlisted = None if missing == "unknown" else 0.0
        unknown = [track for track in sides if value_of.get((track, tag.tag), unlisted) is None]
        assert tag.positives == {side: sum(sides[track] == side for track in positive) for side in SPLITS}
        assert tag.unknown == {side: sum(sides[track] == side for track in unknown) for side in SPLITS}
        assert tag.share == pytest.approx(len(positive) / (len(sides) - len(unknown)))
        assert tag.artists == len({groups[track] for track in positive})
        if values == "binary":
            assert tag.histogram is None
        else:
            listed = [round(value, 3) for (_, name), value in value_of.items() if name == tag.tag and value is not None]
            bins = [sum(min(9, int(value * 10 + 1e-9)) == number for value in listed) for number in range(10)]
            assert tag.histogram == tuple(bins)
            assert sum(bins) == len(listed) > 0
    per_track = [sum((value_of.get((track, tag)) or 0.0) >= 0.4 - 1e-6 for tag in "abc") for track in sides]
    assert found.labels_per_track == tuple(per_track.count(number) for number in range(max(per_track) + 1))
    assert any(sum(tag.unknown.values()) for tag in found.tags)


def test_tags_without_a_positive_in_a_split_are_marked(dataset: Path, small_corpus, health) -> None:
    health("name: all\n")
    sides, _ = _plain(dataset, "all")
    train = [track for track, side in sides.items() if side == "train"]
    others = [track for track, side in sides.items() if side != "train"]
    rows = [(track, "everywhere", 1) for track in sides] + [(train[0], "rare", 1), (others[0], "elsewhere", 1)]
    rows += [(track, "twice", 1) for track, side in sides.items() if side != "test"]
    found = health("name: mine\n", rows)
    marked = {tag.tag: missing for tag, missing in found.without_positive}
    assert marked == {
        "rare": ["validation", "test"],
        "twice": ["test"],
        "elsewhere": [side for side in SPLITS if side != sides[others[0]]],
    }
    assert any("rare (validation and test)" in sentence for sentence in findings(found))


def test_tags_of_one_artist_are_told_apart_from_those_that_are_mostly_so(dataset: Path, small_corpus, health) -> None:
    health("name: all\n")
    sides, _ = _plain(dataset, "all")
    groups = {row[0]: row[2] for row in small_corpus.rows}
    by_side = {
        side: sorted({groups[track] for track in sides if sides[track] == side}, key=lambda name: (len(name), name))
        for side in SPLITS
    }
    train, test = by_side["train"], by_side["test"]
    assert len(train) > 2

    def of(*artists: str) -> list[str]:
        return [track for track, group in groups.items() if group in artists]

    rows = [
        *((track, "one", 1) for track in of(train[0])),
        *((track, "split", 1) for track in of(train[0], train[1], test[0])),
        *((track, "most", 1) for track in [*of(train[0]), *of(train[1])[:1], *of(train[2])[:1]]),
        *((track, "many", 1) for track in of(*train)),
    ]
    found = health("name: mine\n", rows)
    assert [(tag.tag, tag.biggest_artist) for tag in found.of_one_artist] == [("one", train[0])]
    assert [(tag.tag, tag.one_artist_splits) for tag in found.of_one_artist_but_for_one_split] == [("split", ["test"])]
    assert [(tag.tag, tag.biggest_share) for tag in found.mostly_of_one_artist] == [("most", pytest.approx(3 / 5))]
    words = " ".join(findings(found))
    assert f"1 tag comes from one artist only: one ({train[0]})" in words
    assert f"most ({train[0]}, 60%)" in words


def test_nothing_is_said_about_artists_where_no_two_tracks_share_one(
    tmp_path: Path, write_audio, dataset: Path, small_corpus
) -> None:
    from pipeline.decode.build import build
    from pipeline.decode.options import BuildOptions
    from pipeline.labels.overlay import lay_labels
    from tests.conftest import small_catalog

    root = str(tmp_path / "alone")
    build(small_catalog(tmp_path, 6), root, BuildOptions(workers=1, shards=1))
    (tmp_path / "own.csv").write_text("track_id,tag\n00,a\n01,b\n02,b\n")
    (tmp_path / "set.yaml").write_text("name: mine\n")
    lay_labels(root, [str(tmp_path / "own.csv")], str(tmp_path / "set.yaml"))
    (found,) = info(root).labels
    assert not found.grouped
    assert found.of_one_artist == found.mostly_of_one_artist == found.of_one_artist_but_for_one_split == []


def test_unlabelled_tracks_are_counted_per_split_and_named(dataset: Path, small_corpus, health) -> None:
    found = health("name: mine\ntags: [low]\n")
    sides, value_of = _plain(dataset, "mine")
    bare = [track for track in sides if (track, "low") not in value_of]
    assert found.unlabelled == {side: sum(sides[track] == side for track in bare) for side in SPLITS}
    for side in SPLITS:
        named = [track for track in bare if sides[track] == side]
        assert found.unlabelled_ids[side] == tuple(named[:5])
    assert found.labels_per_track == (len(bare), len(sides) - len(bare))
    dropped = health("name: mine\ntags: [low]\nunlabelled: drop\n")
    assert dropped.not_covered == sum(found.unlabelled.values()) > 0
    assert sum(dropped.unlabelled.values()) == 0


def test_removed_tracks_are_not_counted(dataset: Path, small_corpus, health) -> None:
    before = health("name: mine\n")
    sides, value_of = _plain(dataset, "mine")
    gone = next(track for track in sides if (track, "low") in value_of)
    (dataset.parent / "gone.txt").write_text(f"{gone}\n", encoding="utf-8")
    remove(str(dataset), str(dataset.parent / "gone.txt"))
    (after,) = info(str(dataset), "mine").labels
    assert (after.removed, sum(after.tracks.values())) == (1, sum(before.tracks.values()) - 1)
    low = [next(tag.tracks for tag in found.tags if tag.tag == "low") for found in (before, after)]
    assert low[1] == low[0] - 1
    assert any("1 of its tracks were removed" in sentence for sentence in findings(after))
    assert pc.is_in(gone, value_set=open_labels(Dataset.open(str(dataset)), "mine").table["track_id"].combine_chunks())


def test_many_labels_share_the_last_bar(dataset: Path, small_corpus, health) -> None:
    rows = [
        (small_corpus.rows[place][0], f"tag {tag}", 1)
        for place, tags in ((0, 20), (1, 17), (2, 2))
        for tag in range(tags)
    ]
    found = health("name: mine\n", rows)
    assert len(found.labels_per_track) == 21
    assert found.labels_per_track_bars[-1] == ("15+", 2)
    assert found.labels_per_track_bars[2] == ("2", 1)
    assert sum(count for _, count in found.labels_per_track_bars) == sum(found.tracks.values())


def test_healthy_labels_have_no_finding(dataset: Path, small_corpus, health) -> None:
    rows = [(row[0], tag, 1) for row in small_corpus.rows for tag in ("rock", "jazz")]
    assert findings(health("name: mine\n", rows)) == []
