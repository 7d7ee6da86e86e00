from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.labels.diff import LabelDiff, label_diff
from pipeline.labels.overlay import lay_labels
from schemas.dataset import Dataset
from schemas.label_version import LabelVersion, open_labels


class _Versions:
    """Label versions over a small dataset, from rows of track number, tag and value."""

    def __init__(self, dataset: Path, tracks: list[str]) -> None:
        self.dataset, self.tracks = dataset, tracks
        self._numbers = itertools.count()

    def lay(self, rows: list[tuple[int, str, float | None]], fields: str = "") -> str:
        folder = self.dataset.parent / f"labels {next(self._numbers)}"
        folder.mkdir()
        lines = [f"{self.tracks[track]},{tag},{'' if value is None else value}" for track, tag, value in rows]
        (folder / "a.csv").write_text("\n".join(["track_id,tag,value", *lines]) + "\n", encoding="utf-8")
        (folder / "set.yaml").write_text(f"name: mine\n{fields}", encoding="utf-8")
        laid = lay_labels(str(self.dataset), [str(folder / "a.csv")], str(folder / "set.yaml"))
        return f"mine@{laid.version}"

    def open(self, reference: str) -> LabelVersion:
        return open_labels(Dataset.open(str(self.dataset)), reference)

    def diff(self, before: str, after: str) -> LabelDiff:
        return label_diff(self.open(before), self.open(after))


@pytest.fixture
def versions(dataset: Path, small_corpus) -> _Versions:
    return _Versions(dataset, [row[0] for row in small_corpus.rows])


def _counts(diff: LabelDiff) -> dict[str, tuple[int, int, int, int]]:
    return {tag.tag: (tag.before, tag.after, tag.gained, tag.lost) for tag in diff.tags}


def test_nothing_changed_from_a_version_to_itself(versions: _Versions) -> None:
    one = versions.lay([(0, "a", 1), (1, "b", 1), (1, "a", 1)])
    diff = versions.diff(one, one)
    assert _counts(diff) == {"a": (2, 2, 0, 0), "b": (1, 1, 0, 0)}
    assert (diff.tracks_changed, diff.tracks, diff.settings, diff.reordered) == (0, 24, {}, False)
    assert not (diff.tags_added or diff.tags_removed or diff.tags_renamed or diff.tags_merged)


def test_tags_and_tracks_that_came_and_went_are_counted(versions: _Versions) -> None:
    one = versions.lay([(0, "a", 1), (1, "a", 1), (2, "a", 1), (0, "gone", 1), (5, "b", 1), (6, "b", 1), (7, "b", 1)])
    other = versions.lay(
        [(1, "a", 1), (2, "a", 1), (3, "a", 1), (4, "a", 1), (9, "new", 1), (5, "b", 1), (6, "b", 1), (7, "b", 1)]
    )
    diff = versions.diff(one, other)
    assert _counts(diff) == {"a": (3, 4, 2, 1), "new": (0, 1, 1, 0), "gone": (1, 0, 0, 1), "b": (3, 3, 0, 0)}
    assert (diff.tags_added, diff.tags_removed) == (("new",), ("gone",))
    assert diff.tracks_changed == 4  # 0, 3, 4, 9
    back = versions.diff(other, one)
    assert _counts(back)["a"] == (4, 3, 1, 2)
    assert (back.tags_added, back.tags_removed, back.tracks_changed) == (("gone",), ("new",), 4)


def test_a_new_name_for_the_same_tracks_is_a_renaming_and_no_change(versions: _Versions) -> None:
    one = versions.lay([(0, "hip hop", 1), (1, "hip hop", 1), (2, "rock", 1)])
    other = versions.lay([(0, "Hip-Hop", 1), (1, "Hip-Hop", 1), (2, "rock", 1)])
    diff = versions.diff(one, other)
    assert diff.tags_renamed == {"hip hop": "Hip-Hop"}
    assert (diff.tags_added, diff.tags_removed, diff.tracks_changed) == ((), (), 0)
    assert _counts(diff) == {"Hip-Hop": (2, 2, 0, 0), "rock": (1, 1, 0, 0)}


def test_two_new_names_for_the_same_tracks_are_no_renaming(versions: _Versions) -> None:
    one = versions.lay([(0, "a", 1), (2, "rock", 1)])
    other = versions.lay([(0, "b", 1), (0, "c", 1), (2, "rock", 1)])
    diff = versions.diff(one, other)
    assert diff.tags_renamed == {}
    assert (diff.tags_added, diff.tags_removed) == (("b", "c"), ("a",))


def test_one_new_name_for_two_tags_on_the_same_tracks_is_no_renaming(versions: _Versions) -> None:
    one = versions.lay([(0, "a", 1), (0, "b", 1), (2, "rock", 1)])
    diff = versions.diff(one, versions.lay([(0, "c", 1), (2, "rock", 1)]))
    assert (diff.tags_renamed, diff.tags_added, diff.tags_removed) == ({}, ("c",), ("a", "b"))


def test_merged_tags_say_what_they_count_as(versions: _Versions) -> None:
    rows: list[tuple[int, str, float | None]] = [(0, "vocal", 1), (1, "voice", 1), (2, "vocals", 1), (3, "rock", 1)]
    one = versions.lay(rows)
    diff = versions.diff(one, versions.lay(rows, "merge: {vocals: [vocal, voice]}\n"))
    assert diff.tags_merged == {"vocal": "vocals", "voice": "vocals"}
    assert (diff.tags_added, diff.tags_removed, diff.tags_renamed) == ((), (), {})
    assert _counts(diff)["vocals"] == (1, 3, 2, 0)
    assert diff.tracks_changed == 2


def test_a_new_tag_that_several_are_merged_into_is_no_new_name(versions: _Versions) -> None:
    rows: list[tuple[int, str, float | None]] = [(0, "drums", 1), (1, "drums", 1), (1, "roll", 1), (2, "rock", 1)]
    diff = versions.diff(versions.lay(rows), versions.lay(rows, "merge: {percussion: [drums, roll]}\n"))
    assert (diff.tags_renamed, diff.tags_merged) == ({}, {"drums": "percussion", "roll": "percussion"})
    assert diff.tags_added == ("percussion",)


def test_graded_values_unknown_ones_and_settings_that_changed_are_seen(versions: _Versions) -> None:
    one = versions.lay([(0, "a", 0.7), (1, "a", 0.9), (2, "a", 1), (3, "a", 0.2)], "values: graded\n")
    other = versions.lay(
        [(0, "a", 0.8), (1, "a", 0.9), (2, "a", None), (3, "a", 0.2)], "values: graded\npositive_at: 0.75\n"
    )
    diff = versions.diff(one, other)
    assert diff.tracks_changed == 2
    assert _counts(diff) == {"a": (3, 2, 0, 1)}
    assert diff.settings == {"positive_at": (0.5, 0.75)}


def test_tracks_that_one_version_lacks_are_told_apart_from_changed_ones(versions: _Versions) -> None:
    rows: list[tuple[int, str, float | None]] = [(number, "a", 1) for number in range(10)]
    diff = versions.diff(versions.lay(rows), versions.lay(rows[:7], "unlabelled: drop\n"))
    assert (diff.tracks, diff.tracks_removed, diff.tracks_added, diff.tracks_changed) == (7, 17, 0, 0)
    assert _counts(diff)["a"] == (10, 7, 0, 3)


def test_an_order_of_tags_that_changed_is_seen(versions: _Versions) -> None:
    rows: list[tuple[int, str, float | None]] = [(0, "a", 1), (1, "b", 1)]
    diff = versions.diff(versions.lay(rows, "tags: [a, b]\n"), versions.lay(rows, "tags: [b, a]\n"))
    assert (diff.reordered, diff.tracks_changed) == (True, 0)


def test_random_versions_are_compared_as_sets_would_be(versions: _Versions) -> None:
    random = np.random.default_rng(7)
    tags = [f"tag {number}" for number in range(12)]
    laid, sets = [], []
    for _ in range(2):
        has = random.random((24, 12)) < 0.4
        laid.append(versions.lay([(int(track), tags[tag], 1) for track, tag in zip(*np.nonzero(has), strict=True)]))
        sets.append({(int(track), tags[tag]) for track, tag in zip(*np.nonzero(has), strict=True)})
    diff = versions.diff(*laid)
    for tag in tags:
        one, other = ({track for track, name in found if name == tag} for found in sets)
        assert _counts(diff)[tag] == (len(one), len(other), len(other - one), len(one - other))
    assert diff.tracks_changed == len({track for track, _ in sets[0] ^ sets[1]})


def test_the_command_prints_a_table_or_json(versions: _Versions, run_pipeline) -> None:
    one = versions.lay([(0, "a", 1), (1, "a", 1)])
    other = versions.lay([(0, "a", 1), (1, "b", 1)])
    ended = run_pipeline("diff", "--dataset", versions.dataset, one, other)
    assert ended.returncode == 0, ended.stderr
    assert f"{one} -> {other}" in ended.stdout
    assert "added: b" in ended.stdout
    assert [line.split() for line in ended.stdout.splitlines() if line.startswith("  a ")] == [
        ["a", "2", "1", "+0", "-1"]
    ]
    as_json = run_pipeline("diff", "--dataset", versions.dataset, "--json", one, "mine")
    assert json.loads(as_json.stdout) == versions.diff(one, other).to_dict() | {"after": other}
    refused = run_pipeline("diff", "--dataset", versions.dataset, one, "mime")
    assert refused.returncode == 2
    assert "did you mean 'mine'?" in refused.stderr
