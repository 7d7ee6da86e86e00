"""Small Parquet tables of this project that carry a checksum of their whole file in the footer's metadata.

The value of the key `tagscale_sha256` is the SHA-256 of the file's bytes with its own 64 digits as zeros. It is checked
before anything is decoded. Files from earlier versions have none; only damage that Arrow notices is found in them.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.console.errors import DatasetError
from schemas.storage.files import read_bytes
from schemas.storage.store_client import StoreError

_KEY = b"tagscale_sha256"
_BEFORE_DIGITS = b"SHA-256 with zeros here:"
_DIGITS = 64
# In the footer each string follows its length: the key, then the value, as Thrift's compact protocol writes them.
_MARK = _KEY + b"\x18" + bytes([len(_BEFORE_DIGITS) + _DIGITS]) + _BEFORE_DIGITS
_ZEROS = b"0" * _DIGITS


def table_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file with its checksum. Deterministic."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        make_room_for_checksum(writer)
    data = bytearray(sink.getvalue())
    _fill_in(data)
    return bytes(data)


def make_room_for_checksum(writer: pq.ParquetWriter) -> None:
    """Reserve room for the checksum in a file that is being written; `fill_in_checksum` puts it there.

    It lies in the footer and not in the schema, so that a program that rewrites the table does not copy it.
    """
    writer.add_key_value_metadata({_KEY: _BEFORE_DIGITS + _ZEROS})


def fill_in_checksum(path: str) -> None:
    """Put the checksum into a local Parquet file that has room for it."""
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        _fill_in(data)


def _fill_in(data: bytearray | mmap.mmap) -> None:
    first = data.rfind(_MARK + _ZEROS) + len(_MARK)
    if first < len(_MARK):
        raise ValueError("Expected a Parquet file with room for its checksum. Received one without.")
    data[first : first + _DIGITS] = _digits(data, first)


def _digits(data: bytes | bytearray | mmap.mmap, first: int) -> bytes:
    """The checksum of a file whose digits start at `first`, regardless of their present value."""
    with memoryview(data) as view:
        digest = hashlib.sha256(view[:first])
        digest.update(_ZEROS)
        digest.update(view[first + _DIGITS :])
    return digest.hexdigest().encode()


def check_bytes(data: bytes) -> bool:
    """True if a Parquet file carries a checksum; raises ValueError if its bytes do not match it."""
    first = data.rfind(_MARK) + len(_MARK)
    if first >= len(_MARK):
        if data[first : first + _DIGITS] != _digits(data, first):
            raise ValueError("its bytes are not those of its checksum")
        return True
    if _KEY in data or _BEFORE_DIGITS in data:
        raise ValueError("its checksum was damaged")
    return False


def read_stored_table(
    uri: str, schema: pa.Schema, *, what: str, advice: str, columns: Sequence[str] | None = None
) -> pa.Table:
    """A table that `table_bytes` wrote.

    Args:
        uri: URI of the file.
        schema: Schema of the table.
        what: Name of the kind of table, for the error.
        advice: What to do if it is damaged.
        columns: Columns to read; None for all.

    Raises:
        DatasetError: the table is missing or damaged, or it is another table.
    """
    try:
        data = read_bytes(uri)
        has_checksum = check_bytes(data)
        table = pq.read_table(pa.BufferReader(data), schema=schema, columns=None if columns is None else list(columns))
        if not has_checksum:
            table.validate(full=True)
        for name in table.column_names:
            if not schema.field(name).nullable and table[name].null_count:
                raise ValueError(f"its column {name} has empty places")
    except StoreError:
        raise  # the store is at fault, not the file
    except FileNotFoundError as error:
        raise DatasetError(f"{uri}: {what} is missing; {advice}") from error
    except Exception as error:  # Arrow and its codecs raise errors of many types for a damaged file
        words = " ".join(str(error).split())
        raise DatasetError(f"{uri}: expected {what}, which cannot be read: {words}; {advice}") from error
    return table
