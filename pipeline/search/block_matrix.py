"""A float16 matrix in a file that is mapped into memory, with a checksum of each block that every reader checks.

The file holds nothing but the values, row by row, little-endian. float16 is how tags store them, so nothing is lost and half
of float32's bytes are read; `float32_products` turns a block into float32 as fast as memory gives it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, BinaryIO

import google_crc32c
import numpy as np
import numpy.typing as npt

from schemas.console.errors import DatasetError

HALF = np.dtype("<f2")
_BLOCK_VALUES = 1 << 17  # a block and its float32 copy fit into a core's second-level cache
_HALF_SHIFT = 13  # bits by which float32's mantissa is longer than that of float16
_SIGN_AND_HALF = np.int32(-0x70000001)  # the bits of float32 to which those of a float16 are moved: 0x8fffffff
_HALF_SCALE = np.float32(2.0**112)  # the ratio of the two types' exponents


class DamagedIndexError(DatasetError):
    """The bytes of an index are not those that were written; it can be made again."""


def block_rows(width: int) -> int:
    """Number of rows of a block of a matrix."""
    return max(1, _BLOCK_VALUES // width)


class BlockWriter:
    """Writes a matrix from its first row to its last.

    Args:
        file: Where to write.
        width: Number of columns.
    """

    def __init__(self, file: BinaryIO, width: int) -> None:
        self._file, self._width = file, width
        self._rows = 0
        self._crcs: list[int] = []

    def append(self, values: npt.NDArray[np.float16]) -> None:
        """Write the next rows."""
        values = np.ascontiguousarray(values, HALF)
        per_block = block_rows(self._width)
        while len(values):
            if self._rows % per_block == 0:
                self._crcs.append(0)
            part, values = np.split(values, [per_block - self._rows % per_block])
            data = part.tobytes()
            self._file.write(data)
            self._crcs[-1] = google_crc32c.extend(self._crcs[-1], data)
            self._rows += len(part)

    @property
    def crcs(self) -> str:
        """CRC32C of each block written, eight hex digits each."""
        return "".join(f"{crc:08x}" for crc in self._crcs)


@dataclasses.dataclass(frozen=True, eq=False)
class BlockMatrix:
    """A matrix in a file.

    Attributes:
        uri: The file, for errors.
        values: float16 [rows, width], mapped and not yet checked.
        crcs: CRC32C of each block.
    """

    uri: str
    values: npt.NDArray[np.float16]
    crcs: tuple[int, ...]

    @classmethod
    def open(cls, path: str, rows: int, width: int, crcs: str, *, uri: str) -> BlockMatrix:
        """Map a file; raises DamagedIndexError if it has another size, and FileNotFoundError.

        Args:
            path: Path of the file.
            rows: Number of rows.
            width: Number of columns.
            crcs: CRC32C of each block, as `BlockWriter` gives them.
            uri: The file, for errors.
        """
        mapped = np.memmap(path, HALF, mode="r").view(np.ndarray)
        expected = np.frombuffer(bytes.fromhex(crcs), ">u4").tolist()
        if mapped.size != rows * width or len(expected) != -(-rows // block_rows(width)):
            raise DamagedIndexError(
                f"{uri}: expected {rows:,} rows of {width:,} values, found {mapped.size:,} values in all"
            )
        return cls(uri, mapped.reshape(rows, width), tuple(expected))

    def blocks(self, wanted: npt.NDArray[np.bool_] | None = None) -> Iterator[tuple[slice, npt.NDArray[np.float16]]]:
        """Rows and values of the blocks that have wanted rows, each checked; raises DamagedIndexError.

        Args:
            wanted: bool [rows]; None for all.
        """
        per_block, rows = block_rows(self.values.shape[1]), len(self.values)
        for number, first in enumerate(range(0, rows, per_block)):
            place = slice(first, min(first + per_block, rows))
            if wanted is None or wanted[place].any():
                yield place, self._block(number, place)

    def rows(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float16]:
        """Some rows, in the order of their numbers, from checked blocks; raises DamagedIndexError."""
        per_block = block_rows(self.values.shape[1])
        for number in np.unique(numbers // per_block).tolist():
            self._block(number, slice(number * per_block, min((number + 1) * per_block, len(self.values))))
        return self.values[numbers]

    def column(self, number: int) -> npt.NDArray[np.float16]:
        """One column, from checked blocks; raises DamagedIndexError."""
        found = np.empty(len(self.values), HALF)
        for place, block in self.blocks():
            found[place] = block[:, number]
        return found

    def products(self, vector: npt.NDArray[np.float32], wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        """Products of rows with a vector, in float32: [rows], 0 in blocks without a wanted row."""
        found = np.zeros(len(self.values), np.float32)
        multiply = float32_products(vector)
        for place, block in self.blocks(wanted):
            multiply(block, found[place])
        return found

    def _block(self, number: int, place: slice) -> npt.NDArray[np.float16]:
        block = self.values[place]
        # The checksum takes bytes that cannot change, as those of a mapping opened for reading are, without a copy.
        if google_crc32c.value(block) != self.crcs[number]:
            raise DamagedIndexError(f"{self.uri}: rows {place.start:,} to {place.stop - 1:,} are not those written")
        return block


def float32_products(vector: npt.NDArray[np.float32]) -> Any:
    """A function of a block, float16 [rows, width], and of the float32 [rows] into which it puts the products.

    NumPy converts float16 one value after the other; it is several times as fast to move the bits to their places in float32.
    That leaves every finite value exact but for a constant factor, which goes into the vector.
    """
    scaled = vector.astype(np.float32) * _HALF_SCALE
    bits = np.empty((block_rows(len(vector)), len(vector)), np.int32)

    def multiply(block: npt.NDArray[np.float16], out: npt.NDArray[np.float32]) -> None:
        moved = bits[: len(block)]
        np.copyto(moved, block.view(np.int16))  # the sign fills the upper half
        np.left_shift(moved, _HALF_SHIFT, out=moved)
        np.bitwise_and(moved, _SIGN_AND_HALF, out=moved)
        np.dot(moved.view(np.float32), scaled, out=out)

    return multiply
