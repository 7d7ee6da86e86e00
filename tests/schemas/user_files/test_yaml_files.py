"""YAML is read as it is written: no type is guessed, a file has one meaning, and none grows while it is read."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from schemas.console.errors import UserError
from schemas.user_files.yaml_files import (
    MOST_BYTES,
    boolean,
    is_nothing,
    number,
    parse_yaml,
    read_yaml,
    shown,
    whole_number,
)

# YAML 1.1 would read each of these as something other than text: a number, minutes, a boolean, a date, nothing, a merge.
WRITTEN = (
    "007 0x10 0o7 1_000 12:30 1.10 1e3 .inf .nan yes no on off y True 2020-01-01 9999-99-99 ~ null NULL <<".split()
)


def test_a_scalar_is_the_text_that_is_written() -> None:
    assert parse_yaml(f"tags: [{', '.join(WRITTEN)}]", "x") == {"tags": WRITTEN}
    assert parse_yaml("".join(f"{word}: 1\n" for word in WRITTEN[:-1]), "x") == dict.fromkeys(WRITTEN[:-1], "1")


@pytest.mark.parametrize("letter", ["\x85", "\u2028", "\u2029", "\ufeff", "\ue000", "🎵", "\t"])
def test_letters_that_yaml_took_for_line_ends_are_letters(letter: str) -> None:
    text = f"a: x{letter}y\nb: 'x{letter}y'\nc: \"x{letter}y\"\nd: [1, 1]\nd: 2\n"
    with pytest.raises(UserError, match="line 5: expected each key once, found 'd' on line 4 too"):
        parse_yaml(text, "x")
    fields = parse_yaml(text.removesuffix("d: 2\n"), "x")
    assert [fields[name] for name in "abc"] == [f"x{letter}y"] * 3


def test_a_file_that_holds_every_stand_in_for_a_line_end_is_read_as_it_is_written() -> None:
    written = "".join(map(chr, range(0xE000, 0xF900))) + "\u2028"
    assert parse_yaml(f"a: {written}b\n", "x") == {"a": f"{written}b"}


def test_more_values_than_can_be_read_in_a_second_are_refused() -> None:
    with pytest.raises(UserError, match=r"x: line 2: expected at most 150,000 values in a file, received more"):
        parse_yaml("name: x\ntags: [" + "a," * 400_000 + "]\n", "x")


def test_a_line_is_that_of_the_file() -> None:
    fields = parse_yaml("# first\r\n\r\na: 1\r\nb:\r\n  - c\r\n", "x")
    assert {str(key): key.line for key in fields} == {"a": 3, "b": 4}
    assert fields["b"][0].line == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "x: line 3: expected each key once, found 'a' on line 1 too; remove one"),
        ("a: {b: 1, 'b': 2}\n", "x: line 1: expected each key once, found 'b'"),
        ("a: &b 1\n", "x: line 1: anchors (&b) are not read"),
        ("a: 1\nb: *a\n", "x: line 2: aliases (*a) are not read"),
        ("a:\n  <<: {b: 1}\n", "x: line 2: merge keys (<<) are not read"),
        ("a: !!set {b}\n", "x: line 1: type tags ('tag:yaml.org,2002:set') are not read"),
        ("a: !!python/object:os.system x\n", "x: line 1: type tags"),
        ("a: !!int 1\n", "x: line 1: type tags"),
        ("a: 1\n---\nb: 2\n", "x: line 2: expected one document, received another"),
        ("a: 1\n? [b]\n: c\n", "x: line 2: expected text as a key"),
        ("a: " + "[" * 100_000, "x: line 1: expected at most 20 lists and fields within each other"),
        ("a: [\n", "x: line 2: expected YAML: did not find expected node content"),
        ("a: \x01\n", "x: line 1: expected text, received the control letter '\\x01'"),
    ],
)  # fmt: skip
def test_what_can_grow_or_mean_two_things_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_yaml(text, "x")
    assert str(refused.value).startswith(words)
    assert "\n" not in str(refused.value)


def test_a_file_has_a_largest_size_and_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_text("a: é\n", encoding=encoding)
        assert read_yaml(str(path), "config") == {"a": "é"}
    path.write_text("")
    assert read_yaml(str(path), "config") is None
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(UserError, match=f"config {path}: expected at most 1,048,576 bytes, received 1,048,577"):
        read_yaml(str(path), "config")


def test_fields_read_numbers_and_booleans_out_of_what_is_written() -> None:
    words = [*parse_yaml("[7, '8', 007, -1, 1_000, 1.5, 1e-3, .5, yes, False, ~, '', 'null', x]", "x"), "9" * 5000]
    assert [whole_number(word) for word in words[:6]] == [7, 8, 7, -1, None, None]
    assert [number(word) for word in words[4:8]] == [None, 1.5, 1e-3, 0.5]
    assert [boolean(word) for word in words[8:10]] == [True, False]
    assert [is_nothing(word) for word in words[10:13]] == [True, False, False]
    assert whole_number(words[-1]) is None
    assert len(shown(words[-1])) < 120


def test_without_libyaml_the_same_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [007, 'b', \"c\\n\"]\nd:\n"
    fast = parse_yaml(text, "x")
    monkeypatch.setattr("schemas.user_files.yaml_files._Loader", yaml.BaseLoader)
    assert parse_yaml(text, "x") == fast == {"a": ["007", "b", "c\n"], "d": ""}
    assert is_nothing(parse_yaml(text, "x")["d"])


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_file_is_read_or_refused_in_one_line(seed: int) -> None:
    rng = random.Random(seed)
    pieces = ["a", "b: ", "- ", "\n", "\n  ", "[", "]", "{", "}", ",", "'", '"', "&a ", "*a", "!!int ", "<<: ", "? ", "|\n", "#",
              "---\n", "%YAML 1.1\n", "\t", "\x85", "\u2028", "\\", "\r", "é", "\x7f"]  # fmt: skip
    for _ in range(300):
        text = "".join(rng.choice(pieces) for _ in range(rng.randrange(1, 20)))
        try:
            parse_yaml(text, "label set x.yaml")
        except UserError as error:
            assert str(error).startswith("label set x.yaml: ")
            assert len(str(error).splitlines()) == 1
