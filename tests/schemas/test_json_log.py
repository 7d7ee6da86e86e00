from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.console.errors import DatasetError
from schemas.json_log import log_bytes, read_log, whole_entries
from schemas.storage.checksums import CHECKSUM

ENTRIES = [{"version": f"{number:012x}", "tracks": number, "tags": ["Blå\u2028\x85"]} for number in range(4)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_bytes(log_bytes(ENTRIES))
    return path


def test_entries_come_back_and_a_log_that_grows_keeps_its_lines(log: Path) -> None:
    assert read_log(str(log), "") == ENTRIES
    assert log_bytes(ENTRIES).startswith(log_bytes(ENTRIES[:2]))
    assert [json.loads(line)["version"] for line in log.read_bytes().split(b"\n")[:-1]] == [
        entry["version"] for entry in ENTRIES
    ]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_line_that_is_lost_shows_in_the_next(log: Path, lost: int) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:lost] + lines[lost + 1 :]))
    with pytest.raises(DatasetError, match=rf"log\.jsonl: line {lost + 1}: expected a line of the log.*; do this"):
        read_log(str(log), "do this")


def test_a_flipped_bit_is_refused_and_the_lines_that_are_whole_are_known(log: Path) -> None:
    data = log.read_bytes()
    line_of = [data[:place].count(b"\n") for place in range(len(data))]
    for place in range(0, 8 * len(data), 7):  # one bit of each byte, not always the same one
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        log.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"log\.jsonl: "):
            read_log(str(log), "")
        kept, problems = whole_entries(str(log))
        assert problems
        # Whichever line is damaged, the lines before it are kept, and no entry changes.
        assert kept[: line_of[place // 8]] == ENTRIES[: line_of[place // 8]]
        assert all(entry in ENTRIES for entry in kept)


def test_a_damaged_line_does_not_cost_those_behind_it(log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b'"tracks":1', b'"tracks":7'))
    kept, problems = whole_entries(str(log))
    assert kept == [ENTRIES[0], *ENTRIES[2:]]
    assert len(problems) == 1


def test_lines_of_an_earlier_version_are_read_and_covered_by_the_next(log: Path) -> None:
    log.write_bytes(b"".join(json.dumps(entry).encode() + b"\n" for entry in ENTRIES[:2]))
    assert read_log(str(log), "") == ENTRIES[:2]
    plain = log.read_bytes()
    log.write_bytes(plain + log_bytes(ENTRIES).splitlines(keepends=True)[2])
    assert read_log(str(log), "") == ENTRIES[:3]
    log.write_bytes(log.read_bytes().replace(b'"tracks": 0', b'"tracks": 4'))
    with pytest.raises(DatasetError, match="line 3: "):
        read_log(str(log), "")


def test_a_line_without_a_checksum_behind_one_with_is_refused(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    fields = {name: value for name, value in json.loads(lines[3]).items() if name != CHECKSUM}
    log.write_bytes(b"".join(lines[:3]) + json.dumps(fields).encode() + b"\n")
    with pytest.raises(DatasetError, match="line 4: .*it has no content_sha256, as the lines before it have"):
        read_log(str(log), "")


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"[]\n", b'{"tracks": 1}\n', b'{"version": 1}\n', b'{"version": "a"}', b"\xff\n"]
)
def test_what_is_no_log_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "log.jsonl").write_bytes(data)
    with pytest.raises(DatasetError, match=r"log\.jsonl: .*expected "):
        read_log(str(tmp_path / "log.jsonl"), "")
