"""If a bit flips in any kind of file of an export, the command that wrote it or the reader's checksum reports it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from pipeline.export_records.export import ExportOptions, ExportSummary, export_records
from schemas.tfrecord import read_records
from tests.faults.rot.conftest import EveryKind
from tests.flipped_bits import flipped, refusal

FLIPS = 12


@pytest.fixture
def whole(every_kind: EveryKind) -> Iterator[EveryKind]:
    before = {path: path.read_bytes() for path in every_kind.export.rglob("*") if path.is_file()}
    yield every_kind
    for path, data in before.items():
        path.write_bytes(data)


def _again(kind: EveryKind) -> ExportSummary:
    return export_records(str(kind.root), "mine", str(kind.export), ExportOptions(workers=1))


@pytest.mark.parametrize("name", ["plan.parquet", "done/part-00000.json"])
def test_the_same_command_refuses_a_damaged_plan_or_done_mark(name: str, whole: EveryKind) -> None:
    path = whole.export / name
    data, expected = path.read_bytes(), _again(whole)
    refused = 0
    for damaged in flipped(data, FLIPS):
        path.write_bytes(damaged)
        said = refusal(lambda: _again(whole), expected)
        refused += said is not None
        assert said is None or path.name in said
    assert refused > 0


@pytest.mark.parametrize("name", ["records.json", "vocabulary.txt"])
def test_the_same_command_writes_what_describes_the_records_again(name: str, whole: EveryKind) -> None:
    path = whole.export / name
    data = path.read_bytes()
    for damaged in list(flipped(data, FLIPS))[:FLIPS]:
        path.write_bytes(damaged)
        _again(whole)
        assert path.read_bytes() == data


def test_every_file_is_named_with_its_checksum_and_each_record_carries_one(whole: EveryKind) -> None:
    description = json.loads((whole.export / "records.json").read_text())
    assert description["vocabulary_sha256"] == sha256((whole.export / "vocabulary.txt").read_bytes()).hexdigest()
    for name, counts in description["files"].items():
        path = whole.export / name
        data = path.read_bytes()
        assert counts["sha256"] == sha256(data).hexdigest()

        def read(path: Path = path) -> list[tuple[int, bytes]]:
            with open(path, "rb") as file:
                return list(read_records(file, where=str(path)))

        expected = read()
        for damaged in flipped(data, FLIPS):
            path.write_bytes(damaged)
            assert path.name in (refusal(read, expected) or "")
