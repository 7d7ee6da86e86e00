"""Commands under test do not wait as long as they would before gcsfs tries again; it tries as often."""

import asyncio

HASTE = 20

_sleep = asyncio.sleep
asyncio.sleep = lambda seconds, result=None: _sleep(seconds / HASTE, result)  # type: ignore[assignment]
