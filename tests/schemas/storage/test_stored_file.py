"""A file in a store reads like a local one, with few requests and not too many bytes."""

from __future__ import annotations

import io
import os
import random

import pytest

from schemas.storage.store_client import StoreError
from schemas.storage.stored_file import LEAST_READ, MOST_READ, StoredFile

DATA = os.urandom(9 << 20)


class Store:
    """A store that returns ranges of DATA and counts the requests."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def read_range(self, _uri: str, offset: int, length: int) -> bytes:
        self.asked.append(length)
        return DATA[offset : offset + length]

    def open(self, size: int = len(DATA)) -> io.BufferedReader:
        return io.BufferedReader(StoredFile("gs://bucket/file", size, self.read_range), LEAST_READ)


def test_it_reads_as_the_bytes_do_wherever_one_jumps() -> None:
    seeded = random.Random(0)
    with Store().open() as file, io.BytesIO(DATA) as expected:
        for _ in range(200):
            place, whence = seeded.randrange(-1000, len(DATA) + 1000), seeded.choice((os.SEEK_SET, os.SEEK_END))
            place = max(0, place) if whence == os.SEEK_SET else -seeded.randrange(len(DATA))
            length = seeded.choice((0, 1, 17, 4096, 300_000))
            assert file.seek(place, whence) == expected.seek(place, whence)
            assert file.read(length) == expected.read(length)
            assert file.tell() == expected.tell()
        file.seek(0)
        assert file.read() == DATA
        assert file.read() == b""


def test_one_who_reads_straight_on_asks_for_ever_more_and_one_who_jumps_for_little() -> None:
    store = Store()
    with store.open() as file:
        while file.read(64 << 10):
            pass
    assert sum(store.asked) == len(DATA)
    assert len(store.asked) <= 6
    assert max(store.asked) <= MOST_READ
    store = Store()
    with store.open() as file:
        for place in (8_000_000, 100, 4_000_000):
            file.seek(place)
            file.read(10)
    assert store.asked == [LEAST_READ] * 3


def test_a_file_that_became_shorter_is_no_short_read() -> None:
    with (
        Store().open(size=len(DATA) + 10) as file,
        pytest.raises(StoreError, match="replaced by a shorter one while it was read"),
    ):
        file.read()
