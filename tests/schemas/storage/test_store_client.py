"""A failed operation of a store is retried a few times unless its error is final, and then ends in one clear line."""

from __future__ import annotations

import errno
import sys
from types import SimpleNamespace

import pytest

from schemas.console.errors import UserError
from schemas.storage import store_client
from schemas.storage.store_client import WAITS, ContradictionError, StoreError, filesystem, tried

URI = "gs://bucket/data/file"


class Failing:
    """A function that raises one error after the other, and then returns `done`."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Records the waits instead of waiting."""
    waits: list[float] = []
    monkeypatch.setattr(store_client.time, "sleep", waits.append)
    return waits


def test_what_passes_is_waited_for_ever_longer(slept: list[float]) -> None:
    action = Failing(
        TimeoutError(), ValueError("Expecting value: line 1"), ContradictionError("short"), KeyError("items")
    )
    assert tried(URI, action) == "done"
    assert slept == sorted(slept) == list(WAITS)


def test_what_lasts_ends_in_one_line_that_names_the_file(slept: list[float]) -> None:
    action = Failing(*[ValueError(f"no JSON\nat https://host/b/bucket/o/file {number}") for number in range(9)])
    with pytest.raises(StoreError) as error:
        tried(URI, action)
    assert action.calls == len(WAITS) + 1
    assert error.value.filename == URI
    assert error.value.strerror == "the store failed: ValueError: no JSON at the file 4"
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [FileNotFoundError, FileExistsError])
def test_what_a_store_says_of_a_file_is_taken_at_its_word(kind: type[OSError]) -> None:
    action = Failing(kind("b/bucket/o/file"))
    with pytest.raises(kind) as error:
        tried(URI, action)
    assert (action.calls, error.value.filename) == (1, URI)


class HttpError(Exception):
    """An error like that of gcsfs."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Service Unavailable, {code}")
        self.code = code


@pytest.mark.parametrize(
    "error",
    [OSError("Forbidden: b/bucket/o/file\nno access"), PermissionError(), HttpError(401), StoreError(5, "x", URI)],
)
def test_what_is_refused_is_not_tried_again(error: Exception) -> None:
    action = Failing(error)
    with pytest.raises(StoreError):
        tried(URI, action)
    assert action.calls == 1


def test_what_the_client_has_tried_for_long_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gcsfs = SimpleNamespace(is_retriable=lambda error: getattr(error, "code", None) == 503)
    monkeypatch.setitem(sys.modules, "gcsfs.retry", gcsfs)
    action = Failing(HttpError(503))
    with pytest.raises(StoreError, match="the store failed: HttpError: Service Unavailable, 503"):
        tried(URI, action)
    assert action.calls == 1
    assert tried(URI, Failing(HttpError(410))) == "done"


def test_a_full_disk_of_this_machine_is_not_the_stores_fault() -> None:
    action = Failing(OSError(errno.ENOSPC, "No space left on device", "/tmp/copy"))
    with pytest.raises(OSError, match="No space left on device: '/tmp/copy'"):
        tried(URI, action)
    assert action.calls == 1


def test_a_store_that_nobody_knows_is_the_users_error() -> None:
    with pytest.raises(UserError, match="nosuchstore://: cannot be reached: Protocol not known: nosuchstore"):
        filesystem("nosuchstore://bucket/file")


def test_listings_are_not_cached() -> None:
    assert filesystem("memory://bucket/file").dircache.use_listings_cache is False
