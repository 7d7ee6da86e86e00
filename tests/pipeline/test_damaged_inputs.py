"""A table or label set with random damage is read with every row in its place, or refused in one line."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.decode.catalog import read_catalog
from pipeline.labels.annotations import read_annotations
from pipeline.labels.label_set import read_label_set
from pipeline.removal.remove import read_ids
from schemas.console.errors import UserError

ROWS = [
    {"track_id": f"{number:03d}", "uri": f'ä "{number}", x.wav', "group": None, "duration": number / 2, "more": "é\n|"}
    for number in range(12)
]
TAGS = [{"track_id": f"{number:03d}", "tag": ("rock", "a, b", "été")[number % 3], "value": 0.5} for number in range(12)]
LABEL_SET = """name: mine
tags: [rock, 'jazz', 007]
min_tracks: 3
merge: {vocals: [vocal, "voice"]}
hierarchy:
  jazz: [bebop, swing]
  music: [jazz]
values: graded
positive_at: 0.7
"""
TEXTS = ('\0 \x85 \u2028 \ufeff " "" , ; | NaN null 1e999 -1 \\ud800 [ { } : &a *a - \\ \\u0000').split(" ")
PIECES = [*(text.encode() for text in TEXTS), b"\xff", b"\xff\xfe", b"\xed\xa0\x80", b"\t", b"\n", b"\r", b"\r\n", b" "]


def _csv(rows: list[dict[str, object]], delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _jsonl(rows: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _damaged(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            data = data[:place] + rng.choice(PIECES) + data[place:]
        elif kind == 1:
            data = data[:place] + rng.choice(PIECES) + data[place + 1 :]
        elif kind == 2:
            data = data[:place] + data[place + rng.randrange(1, 9) :]
        else:
            data = data[:place] + data[rng.randrange(len(data) + 1) :][:20] + data[place:]
    return data


def _rows_of_csv(data: bytes, delimiter: str = ",") -> int:
    text = data.decode("utf-16" if data[:2] == b"\xff\xfe" else "utf-8-sig")
    return len([row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]) - 1


def _ids_of(data: bytes) -> int:
    text = data.decode("utf-16" if data[:2] == b"\xff\xfe" else "utf-8-sig")
    header, *rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    return len({row[header.index("track_id")] for row in rows})


def _lines_of(data: bytes) -> int:
    text = data.decode("utf-16" if data[:2] == b"\xff\xfe" else "utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    return len([line for line in text.split("\n") if line.strip()])


def _read_catalog(path: str) -> int:
    table = read_catalog(path).table
    for name in ("track_id", "uri", "group"):
        assert all("\0" not in text for text in table[name].to_pylist() if text is not None)
    return table.num_rows


def _read_annotations(path: str) -> int:
    read = read_annotations([path])
    return len(read.track) + read.overruled + read.repeated


def _read_label_set(path: str) -> int:
    read_label_set(path).ancestors()
    return 0


CASES: dict[str, tuple[bytes, Callable[[str], int], Callable[[bytes], int]]] = {
    "c.csv": (_csv(ROWS), _read_catalog, _rows_of_csv),
    "c.tsv": (_csv(ROWS, "\t"), _read_catalog, lambda data: _rows_of_csv(data, "\t")),
    "c.jsonl": (_jsonl(ROWS), _read_catalog, _lines_of),
    "a.csv": (_csv(TAGS), _read_annotations, _rows_of_csv),
    "a.jsonl": (_jsonl(TAGS), _read_annotations, _lines_of),
    "l.yaml": (LABEL_SET.encode(), _read_label_set, lambda _data: 0),
    "g.csv": (b"track_id\n001\n002\n003\n", lambda path: len(read_ids(path)), _ids_of),
}


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_file_gives_every_row_or_one_line(name: str, tmp_path: Path) -> None:
    data, read, count = CASES[name]
    rng = random.Random(name)
    path = tmp_path / name
    refused = 0
    for _ in range(150):
        damaged = _damaged(data, rng)
        path.write_bytes(damaged)
        try:
            rows = read(str(path))
        except UserError as error:
            refused += 1
            assert str(path) in str(error)
            assert len(str(error).splitlines()) == 1, str(error)
        else:
            assert rows == count(damaged), damaged
    assert 10 < refused < 150


def test_a_damaged_parquet_file_is_refused_in_one_line_or_read(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path, compression="none", use_dictionary=False, write_statistics=False)
    data, rng = path.read_bytes(), random.Random(0)
    place = data.index("ä".encode())
    assert read_catalog(str(path)).table.num_rows == len(ROWS)
    path.write_bytes(data[:place] + b"\xff\xff" + data[place + 2 :])
    with pytest.raises(UserError, match=r"row 1: uri: expected UTF-8 text, received b'\\xff\\xff"):
        read_catalog(str(path))
    for _ in range(100):
        path.write_bytes(data[: rng.randrange(len(data))])
        with pytest.raises(UserError, match="cannot be read"):
            read_catalog(str(path))
