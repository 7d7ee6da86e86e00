"""Access to a store through fsspec, and which of its failures are retried.

gcsfs itself retries store errors (5xx, 408, 429) and broken connections, six times in half a minute. It raises everything
else at once: a response that is truncated and so not JSON, an upload session that has expired, a range shorter than
requested. Such a call is retried a few times here.
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

WAITS = (0.5, 1.0, 2.0, 4.0)  # seconds before each retry
SILENCE_SECONDS = 60.0  # a request counts as lost after its connection was silent for this long

_Result = TypeVar("_Result")


class StoreError(OSError):
    """A store still failed after all retries; like a disk error it has an errno, a message, and the URI as its filename."""


class ContradictionError(Exception):
    """The bytes read or written do not match what the store reports; worth a retry."""


def filesystem(uri: str) -> Any:
    """The fsspec file system of a URI; raises UserError if there is none."""
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
    # For zonal buckets and those with a hierarchical namespace gcsfs asks over gRPC, and waits for a minute if that does
    # not answer. A value set by the user takes precedence.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    if "GCSFS_DEBUG" not in os.environ:  # it logs the traceback of every error that it raises
        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS)
    return {"requests_timeout": timeout}  # no limit on the whole request, which may be a large file


def tried(uri: str, action: Callable[[], _Result]) -> _Result:
    """Call `action`, retrying transient errors.

    Args:
        uri: URI of the file, for the error.
        action: The call to the store.

    Raises:
        FileNotFoundError, FileExistsError: the store reported it.
        StoreError: the call failed on every attempt, or with a permanent error.
        OSError: the local disk failed, if the call writes there.
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
            if type(error) is OSError and error.errno is not None:  # a disk error; connection errors have other types
                raise
            if wait is None or _is_last_word(error):
                raise StoreError(errno.EIO, _words(error), uri) from error
        time.sleep(wait)
    raise AssertionError("unreachable")


def _is_last_word(error: Exception) -> bool:
    """True for an error that a retry cannot fix, and for one that the store's client has already retried long enough."""
    if isinstance(error, PermissionError) or str(error).startswith("Forbidden"):
        return True
    gcsfs = sys.modules.get("gcsfs.retry")
    return getattr(error, "code", None) == 401 or (gcsfs is not None and bool(gcsfs.is_retriable(error)))


def _words(error: Exception) -> str:
    """A store's error as one line, independent of the file's location."""
    text = " ".join(re.sub(r"\w+://\S+", "the file", str(error)).split()).strip(", ")
    kind = [] if isinstance(error, ContradictionError) else [type(error).__name__]
    return ": ".join(["the store failed", *kind, *filter(None, [text])])
