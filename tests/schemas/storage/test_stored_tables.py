from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.console.errors import DatasetError
from schemas.storage.stored_tables import (
    check_bytes,
    fill_in_checksum,
    make_room_for_checksum,
    read_stored_table,
    table_bytes,
)
from schemas.tables import REMOVED
from tests.flipped_bits import flipped, refusal

TABLE = pa.table({"track_id": [f"träck {n}" for n in range(300)], "purged": [n % 3 == 0 for n in range(300)]}).cast(
    REMOVED
)


def _read(path: Path) -> pa.Table:
    return read_stored_table(str(path), REMOVED, what="the tombstones", advice="restore them")


def test_the_same_table_is_the_same_bytes_and_any_reader_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "removed.parquet"
    path.write_bytes(table_bytes(TABLE))
    assert _read(path).equals(TABLE)
    assert table_bytes(_read(path)) == table_bytes(pq.read_table(path)) == path.read_bytes()
    assert pq.read_table(path).equals(TABLE)
    pq.write_table(pq.read_table(path), path)  # other writers leave the checksum out instead of keeping a wrong one
    assert not check_bytes(path.read_bytes())


def test_every_flipped_bit_is_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    data = table_bytes(TABLE.slice(0, 3))
    assert check_bytes(data)
    for place in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError, match="checksum"):
            check_bytes(bytes(damaged))


def test_a_table_of_an_earlier_version_is_read_and_what_arrow_makes_of_a_damaged_one_is_one_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "removed.parquet"
    pq.write_table(TABLE, path, compression="zstd")
    data = path.read_bytes()
    assert not check_bytes(data)
    assert _read(path).equals(TABLE)
    for damaged in flipped(data, 400):
        path.write_bytes(damaged)
        try:
            _read(path).to_pylist()
        except DatasetError as error:
            assert str(error).startswith(f"{path}: expected the tombstones, which cannot be read: ")
            assert "\n" not in str(error)


def test_another_table_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "removed.parquet"
    assert "the tombstones is missing; restore them" in (refusal(lambda: _read(path), None) or "")
    path.write_bytes(table_bytes(pa.table({"track_id": ["a"]})))
    assert "its column purged has empty places; restore them" in (refusal(lambda: _read(path), None) or "")


def test_a_file_that_is_written_piece_by_piece_gets_its_checksum_too(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    schema = REMOVED.with_metadata({"of": "test"})
    with pq.ParquetWriter(path, schema) as writer:
        for first in (0, 100, 200):
            writer.write_table(TABLE.slice(first, 100).cast(schema))
        make_room_for_checksum(writer)
    with pytest.raises(ValueError, match="its bytes are not those of its checksum"):
        check_bytes(path.read_bytes())
    fill_in_checksum(str(path))
    assert check_bytes(path.read_bytes())
    assert pq.read_table(path).schema.metadata[b"of"] == b"test"
