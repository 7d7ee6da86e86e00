from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.labels.label_set import LabelSet, read_label_set
from schemas.console.errors import UserError
from tests.conftest import NO_MATERIAL


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
        ("name: mine\ntags: [rock, [jazz]]\n", "line 2: tags: expected tags as text, received ['jazz']"),
        ('name: mine\ntags:\n- rock\n- ""\n', "line 4: tags: expected tags, received an empty one"),
        (
            'name: mine\nmerge:\n  a: [b]\n  c: ["d\\0e"]\n',
            "line 4: merge c: expected tags without a NUL letter, received 'd",
        ),
        ("name: mine\nmerge: {a: {b: c}}\n", "line 2: merge a: expected a list of tags, received {'b': 'c'}"),
        ("name: mine\nmin_tracks:\n", "line 2: min_tracks: expected a whole number of at least 0, received nothing"),
        ("name: mine\ntop: [3]\n", "line 2: top: expected one value, received ['3']"),
        (f"name: mine\ntop: {'9' * 5000}\n", "expected a whole number of at least 1, received '999"),
        (
            "name: mine\npositive_at: .nan\n",
            "line 2: positive_at: expected a number above 0 and up to 1, received '.nan'",
        ),
        (f"name: {'a' * 300}\n", "line 1: name: expected at most 128 letters, received 300"),
        ("name: mine\nmerge: {a: b}\n", "merge a: expected a list of tags, received 'b'"),
        ("name: mine\ntop: true\n", "top: expected a whole number of at least 1, received 'true'"),
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
        ("name: mine\nmerge: {80: [a], '80': [b]}\n", "line 2: expected each key once, found '80' on line 2 too"),
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


def test_tags_are_read_as_they_are_written(tmp_path: Path) -> None:
    written = "007, 12:30, 1_000, no, on, 2020-01-01, 1.10, ~, null, 0x10, \"a\u2028b\", c\x85d, '<<'"
    read = _read(tmp_path, f"name: 007\ntags: [{written}]\nmerge: {{yes: [oui, 1e3], 80: [eighty]}}\nmin_tracks: 010\n")
    assert read.tags == tuple(word.strip("\"'") for word in written.split(", "))
    assert (read.name, read.merge, read.min_tracks) == ("007", {"yes": ("oui", "1e3"), "80": ("eighty",)}, 10)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_a_label_set(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "set.yaml").write_text("name: mine\ntags: [é]\n", encoding=encoding)
    assert read_label_set(str(tmp_path / "set.yaml")) == LabelSet("mine", tags=("é",))


def test_ways_through_a_hierarchy_are_not_counted_one_by_one(tmp_path: Path) -> None:
    levels = 200  # they have 2^200 ways through
    hierarchy = "".join(f"  {side}{n}: [a{n + 1}, b{n + 1}]\n" for n in range(levels) for side in "ab")
    ancestors = _read(tmp_path, f"name: mine\nhierarchy:\n{hierarchy}").ancestors()
    assert [len(ancestors[f"a{n}"]) for n in (1, 2, levels)] == [2, 4, 2 * levels]
    with pytest.raises(UserError, match=r"hierarchy: 'a0' -> 'a1' -> .* -> … -> 'a0' is a cycle"):
        _read(tmp_path, f"name: mine\nhierarchy:\n{hierarchy}  b{levels}: [a0]\n")


def test_a_hierarchy_of_many_levels_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    chain = "".join(f"  t{number}: [t{number + 1}]\n" for number in range(20_000))
    with pytest.raises(
        UserError, match="line 2: hierarchy: expected at most 1,000,000 pairs of a tag and a tag above it"
    ):
        _read(tmp_path, f"name: mine\nhierarchy:\n{chain}")


HOSTILE = Path(__file__).parents[4] / "shared" / "cases" / "hostile"
TAKEN = {"bigint2", "bom", "date", "date2", "diamond", "dotname", "nameint", "utf16"}


@pytest.mark.skipif(not HOSTILE.is_dir(), reason=NO_MATERIAL)
def test_label_sets_that_broke_a_parser_are_read_or_refused_in_one_line() -> None:
    taken = set()
    for path in sorted(HOSTILE.glob("*.yaml")):
        try:
            read_label_set(str(path))
            taken.add(path.stem)
        except UserError as error:
            assert str(error).startswith(f"label set {path}: ")
            assert len(str(error).splitlines()) == 1
    assert taken == TAKEN


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
