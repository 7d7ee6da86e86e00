"""A line of a text file ends where an editor ends it, and an error names the line that is not text."""

from __future__ import annotations

import pytest

from schemas.console.errors import UserError
from schemas.user_files.text_lines import each_line, line_number, lines_of, text_of

# str.splitlines cuts at each of these; only the last three end a line of a file.
SEPARATORS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


@pytest.mark.parametrize("letter", SEPARATORS)
def test_a_letter_that_only_python_takes_for_a_line_end_is_not_one(letter: str) -> None:
    assert lines_of(f"a{letter}b\nc\n") == [f"a{letter}b", "c"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_ends_as_on_any_system_and_the_last_one_may_lack_its_end(end: str) -> None:
    assert lines_of(f"a{end}{end}b{end}") == ["a", "", "b"]
    assert lines_of(f"a{end}b") == ["a", "b"]
    assert lines_of("") == []
    for text in ("", end, f"a{end}b", f"{end}a{end}{end}", "a"):
        assert list(each_line(text)) == lines_of(text)
    assert [line_number(f"a{end}b{end}c".encode(), place) for place in (0, 1 + len(end), 2 + 2 * len(end))] == [1, 2, 3]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_text(encoding: str) -> None:
    for marks in ("", "\ufeff", "\ufeff\ufeff"):  # an editor adds a second one if a program wrote one already
        assert text_of(f"{marks}001\né\n".encode(encoding), "list x.txt") == "001\né\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a\r\n\xe9\n", "list x.txt: line 2: expected UTF-8 text, received the byte 0xe9"),
        (b"a\n" + b"b" * (1 << 24) + b"\n\xc3", "list x.txt: line 3: expected UTF-8 text, received the byte 0xc3"),
        ("a\nb".encode("utf-16-le"), "list x.txt: line 1: expected UTF-8 text, received a NUL byte"),
        (b"\xff\xfea", "list x.txt: expected UTF-8 text, received broken UTF-16"),
        ("a".encode("utf-32"), "list x.txt: line 1: expected UTF-8 text, received a NUL byte"),
        (b"\xed\xa0\x80", "list x.txt: line 1: expected UTF-8 text, received the byte 0xed"),
    ],
)
def test_what_is_no_text_is_named_with_its_line(data: bytes, words: str) -> None:
    with pytest.raises(UserError) as refused:
        text_of(data, "list x.txt")
    assert str(refused.value).startswith(words)
