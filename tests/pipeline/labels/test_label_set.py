from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.labels.label_set import LabelSet, read_label_set
from schemas.errors import UserError


def _read(tmp_path: Path, text: str) -> LabelSet:
    (tmp_path / "set.yaml").write_text(text, encoding="utf-8")
    return read_label_set(str(tmp_path / "set.yaml"))


def test_a_name_is_enough(tmp_path: Path) -> None:
    assert _read(tmp_path, "name: mine\n") == LabelSet("mine")


def test_every_field_is_read(tmp_path: Path) -> None:
    text = (
        "name: mine\ntags: [rock, 80, café]\nmin_tracks: 3\nmerge: {rock: [rock'n'roll, Rock]}\nexclude: [other]\n"
        "hierarchy: {music: [rock, café]}\nvalues: graded\npositive_at: 0.7\nmissing: unknown\nunlabelled: drop\n"
        "split: wide\n"
    )
    assert _read(tmp_path, text) == LabelSet(
        name="mine",
        tags=("rock", "80", "café"),
        min_tracks=3,
        merge={"rock": ("rock'n'roll", "Rock")},
        exclude=("other",),
        hierarchy={"music": ("rock", "café")},
        values="graded",
        positive_at=0.7,
        missing="unknown",
        unlabelled="drop",
        split="wide",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- rock\n", "expected fields with at least a name"),
        ("tags: [rock]\n", "expected fields with at least a name"),
        ("name: [\n", "expected YAML"),
        ("name: a/b\n", "name: expected letters, digits"),
        ("name: mine\ntag: [rock]\n", "unknown field 'tag'; did you mean 'tags'?"),
        ("name: mine\ntags: rock\n", "tags: expected a list of tags, received 'rock'"),
        ("name: mine\ntags: []\n", "tags: expected at least one tag; leave the field out"),
        ("name: mine\ntags: [rock, no]\n", "tags: expected tags as text, received False, as YAML reads it"),
        ("name: mine\ntags: [1.10]\n", "tags: expected tags as text, received 1.1, as YAML reads it"),
        ("name: mine\nexclude: [2020-01-01]\n", "exclude: expected tags as text, received datetime.date"),
        ("name: mine\nmerge: {yes: [oui]}\n", "merge: expected tags as text, received True"),
        ("name: mine\nmerge: {a: b}\n", "merge a: expected a list of tags, received 'b'"),
        ("name: mine\ntop: true\n", "top: expected a whole number of at least 1, received True"),
        ("name: mine\npositive_at: true\n", "positive_at: expected a number above 0"),
        ("name: mine\npositive_at: 1.5\n", "positive_at: expected a number above 0 and up to 1, received 1.5"),
        ("name: mine\ntags: [rock]\ntop: 5\n", "tags and top: expected one of them"),
        ("name: mine\ntop: 0\n", "top: expected a whole number of at least 1, received 0"),
        ("name: mine\nmin_tracks: many\n", "min_tracks: expected a whole number"),
        ("name: mine\nvalues: ternary\n", "values: expected binary or graded, received 'ternary'"),
        ("name: mine\nmissing: maybe\n", "missing: expected negative or unknown"),
        ("name: mine\nunlabelled: hide\n", "unlabelled: expected keep or drop"),
        ("name: mine\npositive_at: 0\n", "positive_at: expected a number above 0"),
        ("name: mine\nmerge: [rock]\n", "merge: expected `tag: [synonym, …]`"),
        ("name: mine\nmerge: {a: [b], b: [c]}\n", "'b' is merged into another tag and has tags merged into it"),
        ("name: mine\nmerge: {a: [b], b: [c], c: [a]}\n", "merge: 'a' -> 'b' -> 'c' -> 'a' is a cycle"),
        ("name: mine\nmerge: {a: [a]}\n", "merge: 'a' -> 'a' is a cycle"),
        ("name: mine\nmerge: {80: [a], '80': [b]}\n", "merge: '80': expected once, is named twice"),
        ("name: mine\nhierarchy: {a: [b], b: [c], c: [a]}\n", "hierarchy: 'a' -> 'b' -> 'c' -> 'a' is a cycle"),
        ("name: mine\nhierarchy: {a: [b, b]}\n", "hierarchy a: 'b': expected once, is named twice"),
        ("name: mine\nhierarchy: {a: b}\n", "hierarchy a: expected a list of tags, received 'b'"),
        ("name: mine\nhierarchy: [a]\n", "hierarchy: expected `parent: [child, …]`"),
        ("name: mine\nmerge: {x: [b]}\nhierarchy: {a: [b]}\n", "hierarchy: 'b' is merged into 'x'; name 'x' instead"),
        ("name: mine\nexclude: [b]\nhierarchy: {a: [b]}\n", "'b' is both excluded and in the hierarchy"),
        ("name: mine\nmerge: {a: [b], c: [b]}\n", "'b': expected once, is named twice"),
        ("name: mine\ntags: [a, a]\n", "'a': expected once, is named twice"),
        ("name: mine\ntags: [b]\nmerge: {a: [b]}\n", "'b' is both merged away and asked for"),
        ("name: mine\nexclude: [b]\nmerge: {a: [b]}\n", "'b' is both excluded and merged"),
        ("name: mine\nexclude: [a]\ntags: [a]\n", "'a' is both excluded and asked for"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file_and_the_field(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        _read(tmp_path, text)
    assert words in str(refused.value)
    assert str(tmp_path / "set.yaml") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_empty_lists_of_what_to_leave_out_or_merge_are_fine(tmp_path: Path) -> None:
    assert _read(tmp_path, "name: mine\nexclude: []\nmerge: {}\n") == LabelSet("mine")
    assert _read(tmp_path, "name: mine\nmerge: {a: []}\n").merge == {"a": ()}


def test_ancestors_are_all_above_by_every_way(tmp_path: Path) -> None:
    text = "name: mine\nhierarchy: {music: [jazz, dance], jazz: [bebop], dance: [swing], big band: [swing]}\n"
    assert _read(tmp_path, text).ancestors() == {
        "jazz": ("music",),
        "dance": ("music",),
        "bebop": ("jazz", "music"),
        "swing": ("big band", "dance", "music"),
    }


def test_a_folder_is_no_label_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_label_set(str(tmp_path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_label_set(str(tmp_path / "absent.yaml"))


def test_the_split_is_no_part_of_what_a_version_is_named_by(tmp_path: Path) -> None:
    assert _read(tmp_path, "name: mine\nsplit: wide\n").to_dict() == LabelSet("mine").to_dict()
    with pytest.raises(UserError, match="split: expected letters"):
        _read(tmp_path, "name: mine\nsplit: ../x\n")
