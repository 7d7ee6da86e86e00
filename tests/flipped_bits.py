"""Files with one flipped bit, and a reader's reaction to them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from schemas.console.errors import TagscaleError

WHOLE_BELOW = 100  # bytes; in a shorter file, every bit is flipped


def flipped(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Copies of `data` with one bit flipped: `count` seeded bits, or every bit of a short file."""
    places: list[int] | range = range(8 * len(data))
    if len(data) >= WHOLE_BELOW:
        places = sorted(random.Random(seed).sample(places, count))
    for place in places:
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        yield bytes(damaged)


def refusal(read: Callable[[], Any], whole: Any) -> str | None:
    """The error with which a reader refuses a damaged file; None if it reads the same as from the undamaged one.

    Any other error or value fails the test.
    """
    try:
        found = read()
    except TagscaleError as error:
        assert "\n" not in str(error)
        assert "Traceback" not in str(error)
        return str(error)
    assert found == whole, "a damaged file was read as something else"
    return None
