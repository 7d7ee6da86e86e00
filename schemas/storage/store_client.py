"""How a store is reached through fsspec, and which of its failures are tried again.

gcsfs tries an error of the store (5xx, 408, 429) or a broken connection again by itself, six times in half a minute.
Everything else it passes on at once: an answer that is no JSON since it was cut, a session of an upload that is gone, a
range that is shorter than asked. Such a call is tried a few times here.
"""

from __future__ import annotations

import errno
import functools
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import fsspec

from schemas.console.errors import UserError

WAITS = (0.5, 1.0, 2.0, 4.0)  # seconds before each further try
SILENCE_SECONDS = 60.0  # of a connection, after which a request counts as lost

_Result = TypeVar("_Result")


class StoreError(OSError):
    """A store failed to the last: like an error of a disk it has an errno, words, and the URI as its filename."""


class ContradictionError(Exception):
    """What was read or written is not what the store says; worth another try."""


def filesystem(uri: str) -> Any:
    """The fsspec file system of a URI; raises UserError where there is none."""
    return _filesystem(uri.split("://", 1)[0])


@functools.cache
def _filesystem(scheme: str) -> Any:
    # Listings are not cached: another process may have written or removed a file a moment ago.
    options: dict[str, Any] = {"use_listings_cache": False}
    try:
        if scheme in ("gs", "gcs"):
            options.update(_gcsfs_options())
        return fsspec.filesystem(scheme, **options)
    except (ImportError, ValueError) as error:
        raise UserError(f"{scheme}://: cannot be reached: {error}") from error


def _gcsfs_options() -> dict[str, Any]:
    # For buckets with folders of their own and zonal ones gcsfs asks over gRPC, and waits for a minute wherever that
    # does not answer. Where the user has set the variable, that counts.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    if "GCSFS_DEBUG" not in os.environ:  # it logs the traceback of every error that it passes on
        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS)
    return {"requests_timeout": timeout}  # not of the whole request, which may be a large file


def tried(uri: str, action: Callable[[], _Result]) -> _Result:
    """What a call to a store gives, tried again a few times unless its error is the last word.

    Args:
        uri: of the file, for the error.
        action: the call.

    Raises:
        FileNotFoundError, FileExistsError: the store said so.
        StoreError: it failed to the last.
        OSError: the disk of this machine failed, where the call writes there.
    """
    for wait in (*WAITS, None):
        try:
            return action()
        except FileNotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), uri) from error
        except FileExistsError as error:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), uri) from error
        except (StoreError, UserError):
            raise
        except Exception as error:  # each store raises errors of its own
            if type(error) is OSError and error.errno is not None:  # of a disk; those of connections are of other types
                raise
            if wait is None or _is_last_word(error):
                raise StoreError(errno.EIO, _words(error), uri) from error
        time.sleep(wait)
    raise AssertionError("unreachable")


def _is_last_word(error: Exception) -> bool:
    """True for what another try cannot mend, and for what the store's client has tried again for long enough."""
    if isinstance(error, PermissionError) or str(error).startswith("Forbidden"):
        return True
    gcsfs = sys.modules.get("gcsfs.retry")
    return getattr(error, "code", None) == 401 or (gcsfs is not None and bool(gcsfs.is_retriable(error)))


def _words(error: Exception) -> str:
    """An error of a store in one line, the same wherever the file lies."""
    text = " ".join(re.sub(r"\w+://\S+", "the file", str(error)).split()).strip(", ")
    kind = [] if isinstance(error, ContradictionError) else [type(error).__name__]
    return ": ".join(["the store failed", *kind, *filter(None, [text])])
