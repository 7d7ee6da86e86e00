"""Every value goes through the fast conversion unchanged, and a block that was not written is never returned."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from pipeline.search.block_matrix import BlockMatrix, BlockWriter, DamagedIndexError, block_rows


def written(folder: Path, values: np.ndarray, *, pieces: int = 1) -> BlockMatrix:
    file = io.BytesIO()
    writer = BlockWriter(file, values.shape[1])
    for piece in np.array_split(values, pieces):
        writer.append(piece)
    (folder / "matrix").write_bytes(file.getvalue())
    return BlockMatrix.open(str(folder / "matrix"), *values.shape, writer.crcs, uri="matrix")


def test_every_finite_float16_is_exact_in_float32(tmp_path: Path) -> None:
    values = np.arange(1 << 16).astype(np.uint16).view(np.float16)
    values = values[np.isfinite(values)][:, np.newaxis]
    products = written(tmp_path, values).products(np.ones(1, np.float32), np.ones(len(values), bool))
    np.testing.assert_array_equal(products, values[:, 0].astype(np.float32))


@pytest.mark.parametrize("pieces", [1, 2, 7, 1000])
def test_the_pieces_in_which_it_is_written_do_not_matter(tmp_path: Path, pieces: int) -> None:
    values = np.random.default_rng(0).random((1000, 400)).astype(np.float16)
    matrix = written(tmp_path, values, pieces=pieces)
    assert len(matrix.crcs) == -(-1000 // block_rows(400)) > 1
    np.testing.assert_array_equal(matrix.values, values)
    np.testing.assert_array_equal(matrix.rows(np.array([999, 0, 500])), values[[999, 0, 500]])
    np.testing.assert_array_equal(matrix.column(3), values[:, 3])


def test_a_damaged_block_is_noticed_where_it_is_read(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((1000, 400)).astype(np.float16)
    crcs = written(tmp_path, values).crcs
    data = bytearray((tmp_path / "matrix").read_bytes())
    data[2 * 400 * 700] ^= 1
    (tmp_path / "matrix").write_bytes(data)
    text = "".join(f"{crc:08x}" for crc in crcs)
    matrix = BlockMatrix.open(str(tmp_path / "matrix"), 1000, 400, text, uri="matrix")
    matrix.rows(np.array([0]))
    for read in (lambda: matrix.rows(np.array([700])), lambda: matrix.column(0), lambda: list(matrix.blocks())):
        with pytest.raises(DamagedIndexError, match="matrix: rows 654 to 980 are not those written"):
            read()
    with pytest.raises(DamagedIndexError, match="expected 999 rows of 400 values, found 400,000 values"):
        BlockMatrix.open(str(tmp_path / "matrix"), 999, 400, text, uri="matrix")
