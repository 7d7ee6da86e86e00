"""Receive an uploaded file within limits of size and time, on a temporary disk file without a name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import IO

import python_multipart  # noqa: F401 (Starlette imports it when the first upload arrives, too late to say that it is missing)
from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

MOST_BYTES = 200_000_000  # of an upload
UPLOAD_SECONDS = 120.0
_ROOM_FOR_FORM = 1 << 16  # bytes of a request around the file


def size_words(size: int) -> str:
    """A size in megabytes."""
    return f"{size / 1e6:,.0f} MB"


async def uploaded_file(request: Request) -> tuple[str, IO[bytes]]:
    """The only file in a multipart request: its name, and its bytes in a file that is gone once it is closed.

    Raises:
        HTTPException: it is larger than `MOST_BYTES` or slower than `UPLOAD_SECONDS`, or there is none.
        ClientDisconnect: the client is gone.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise refusal(400, "expected multipart/form-data with one file")
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            form = await MultiPartParser(request.headers, _limited(request), max_files=1, max_fields=10).parse()
    except TimeoutError:
        raise refusal(408, f"expected the whole file within {UPLOAD_SECONDS:g} s") from None
    except MultiPartException as error:
        raise refusal(400, error.message) from None
    for _, value in form.multi_items():
        if isinstance(value, UploadFile):
            return value.filename or "song", value.file
    raise refusal(400, "expected one file, received none")


def refusal(status: int, words: str) -> HTTPException:
    """An answer after which nothing more of the request is read."""
    return HTTPException(status, words, headers={"connection": "close"})


async def _limited(request: Request) -> AsyncGenerator[bytes, None]:
    """The body, refused as soon as it is too large, whatever size it declares."""
    most = MOST_BYTES + _ROOM_FOR_FORM
    declared = request.headers.get("content-length", "0")
    words = f"expected a file of at most {size_words(MOST_BYTES)}"
    if not declared.isdecimal() or int(declared) > most:
        raise refusal(413, f"{words}, received {size_words(int(declared)) if declared.isdecimal() else declared}")
    received = 0
    async for block in request.stream():
        received += len(block)
        if received > most:
            raise refusal(413, f"{words}, received more")
        yield block
