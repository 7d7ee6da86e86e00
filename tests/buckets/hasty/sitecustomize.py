"""Shortens the waits between gcsfs's retries in commands under test; the number of retries stays the same."""

import asyncio

HASTE = 20

_sleep = asyncio.sleep
asyncio.sleep = lambda seconds, result=None: _sleep(seconds / HASTE, result)  # type: ignore[assignment]
