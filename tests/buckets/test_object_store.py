"""The store's promises with a real emulator and faults: no short answer is taken for a whole one, and no write is lost."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.console.errors import UserError
from schemas.storage import object_store, store_client
from schemas.storage.files import (
    download,
    exists,
    files_below,
    is_folder,
    list_names,
    matching,
    open_read,
    publish,
    read_bytes,
    read_range,
    remove,
    remove_tree,
    sha256_of,
    size,
    write_atomic,
    write_if_absent,
)
from schemas.storage.output_folders import require_empty_or
from schemas.storage.store_client import StoreError
from tests.buckets.conftest import Bucket
from tests.buckets.proxy import DELAY_SECONDS, Effect, Fault, Kind, Proxy, Request

pytestmark = pytest.mark.slow

DATA = os.urandom(600_000)


def of(*kinds: Kind, first: bool = True) -> Callable[[Request], bool]:
    """Requests of some kinds; if `first` is false, only those that start after the first byte."""
    return lambda request: request.kind in kinds and (first or request.place > 0)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the waits between retries, also those of gcsfs."""
    monkeypatch.setattr(store_client, "WAITS", (0.0,) * len(store_client.WAITS))
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _: sleep(0))


@pytest.mark.usefixtures("hasty")
def test_a_create_whose_answer_was_lost_knows_what_it_wrote(store: Proxy, bucket: Bucket) -> None:
    uri = bucket.uri("lost/mark")
    store.faults = [Fault("lost", of("upload"), times=1)]
    assert write_if_absent(uri, b"mine")
    assert store.faults[0].met == [Request("upload", "lost/mark", 0, create=True)]
    assert write_if_absent(uri, b"mine")
    assert not write_if_absent(uri, b"another")
    assert bucket.get("lost/mark") == b"mine"


@pytest.mark.usefixtures("hasty")
def test_a_large_create_goes_in_parts_and_never_replaces(
    store: Proxy, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "CHUNK_BYTES", 256 << 10)
    uri = bucket.uri("large/plan")
    store.faults = [Fault("lost", of("chunk", first=False), times=1)]
    assert write_if_absent(uri, DATA)
    chunks = [request for request in store.requests if request.kind == "chunk"]
    assert [chunk.place for chunk in chunks] == [0, 256 << 10, 256 << 10, 512 << 10]
    assert all(request.create for request in store.requests if request.kind in ("session", "chunk"))
    assert not write_if_absent(uri, DATA[::-1])
    assert bucket.get("large/plan") == DATA


@pytest.mark.usefixtures("store")
def test_one_of_many_writers_at_once_gets_through(bucket: Bucket) -> None:
    start, won = threading.Barrier(8), []

    def write(number: int) -> None:
        start.wait()
        if write_if_absent(bucket.uri("race/mark"), str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert bucket.get("race/mark") == str(won[0]).encode()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("effect", ["lost", "incomplete", "forgotten", "unavailable", "cut", "short"])
@pytest.mark.parametrize("first", [True, False])
def test_a_payload_arrives_whole_however_its_upload_is_disturbed(
    effect: Effect, first: bool, store: Proxy, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "CHUNK_BYTES", 4 << 20)
    data = os.urandom(6 << 20)
    (tmp_path / "payload").write_bytes(data)
    store.faults = [Fault(effect, of("chunk", first=first), times=1)]
    publish(str(tmp_path / "payload"), bucket.uri(f"payloads/{effect} {first}"))
    assert len(store.faults[0].met) == 1
    assert bucket.get(f"payloads/{effect} {first}") == data


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("effect", ["unavailable", "delay", "cut", "short"])
def test_a_disturbed_read_gives_the_whole(effect: Effect, store: Proxy, bucket: Bucket, tmp_path: Path) -> None:
    uri = bucket.uri("read/päyload #1 {a} 100%.bin")
    bucket.put("read/päyload #1 {a} 100%.bin", DATA)

    def copied() -> bytes:
        download(uri, str(tmp_path / "copy"))
        return (tmp_path / "copy").read_bytes()

    def read_by_pieces() -> bytes:
        with open_read(uri) as file:
            return b"".join(iter(lambda: file.read(100_000), b""))

    for read, expected in (
        (lambda: read_bytes(uri), DATA),
        (lambda: sha256_of(uri), hashlib.sha256(DATA).hexdigest()),
        (lambda: read_range(uri, 599_990, 100), DATA[-10:]),
        (lambda: read_range(uri, 700_000, 10), b""),
        (copied, DATA),
        (read_by_pieces, DATA),
    ):
        store.faults = [Fault(effect, of("download"), times=2), Fault(effect, of("info"), times=1)]
        assert read() == expected


@pytest.mark.usefixtures("hasty")
def test_other_bytes_than_the_store_names_are_read_again(store: Proxy, bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("garbled", DATA)
    for read in (
        lambda: read_bytes(bucket.uri("garbled")),
        lambda: download(bucket.uri("garbled"), str(tmp_path / "copy")),
        lambda: sha256_of(bucket.uri("garbled")),
        lambda: open_read(bucket.uri("garbled")),
    ):
        store.faults = [Fault("garbled", of("download"), times=1)]
        read()
        assert len(store.faults[0].met) == 1
    assert (tmp_path / "copy").read_bytes() == DATA
    store.faults = [Fault("garbled", of("download"))]
    with pytest.raises(StoreError, match="do not match the checksum that the store reports"):
        read_bytes(bucket.uri("garbled"))


@pytest.mark.usefixtures("hasty")
def test_a_store_that_does_not_answer_is_not_one_without_the_file(store: Proxy, bucket: Bucket) -> None:
    bucket.put("there/file", b"")
    store.faults = [Fault("unavailable", lambda request: True)]
    for ask in (exists, is_folder, size, list_names, files_below, read_bytes, sha256_of, remove):
        with pytest.raises(StoreError, match="Service Unavailable, 503") as error:
            ask(bucket.uri("there/file"))
        assert error.value.filename == bucket.uri("there/file")
    with pytest.raises(StoreError, match="503"):
        write_atomic(bucket.uri("there/file"), b"new")
    assert bucket.get("there/file") == b""


@pytest.mark.usefixtures("hasty")
def test_what_is_forbidden_is_not_tried_again(store: Proxy, bucket: Bucket) -> None:
    store.faults = [Fault("forbidden", of("upload"))]
    with pytest.raises(StoreError, match="Forbidden: .*does not have storage.objects.get access"):
        write_atomic(bucket.uri("forbidden"), b"")
    assert len(store.faults[0].met) == 1


@pytest.mark.usefixtures("store", "hasty")
def test_a_bucket_that_is_not_there_is_named() -> None:
    assert not exists("gs://no-such-bucket/data/dataset.json")
    assert list_names("gs://no-such-bucket/data") == []
    with pytest.raises(StoreError, match="there is no such bucket") as error:
        write_atomic("gs://no-such-bucket/data/dataset.json", b"")
    assert error.value.filename == "gs://no-such-bucket/data/dataset.json"
    with pytest.raises(UserError, match="nosuchstore://: cannot be reached"):
        exists("nosuchstore://bucket/file")


def test_a_connection_that_falls_silent_is_given_up(
    store: Proxy, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("silent", DATA)
    monkeypatch.setattr(store_client, "SILENCE_SECONDS", DELAY_SECONDS / 2)
    store_client._filesystem.cache_clear()
    store.faults = [Fault("delay", of("download"), times=1)]
    assert read_range(bucket.uri("silent"), 0, 10) == DATA[:10]
    store_client._filesystem.cache_clear()
    assert [request.kind for request in store.requests] == ["download", "download"]


@pytest.mark.usefixtures("store")
def test_what_another_process_did_a_moment_ago_is_seen(bucket: Bucket) -> None:
    folder = bucket.uri("moment")
    bucket.put("moment/old", b"old")

    def seen() -> tuple[object, ...]:
        return (
            list_names(folder),
            [exists(f"{folder}/{name}") for name in ("old", "new", "below")],
            is_folder(f"{folder}/below"),
            files_below(folder),
            matching(f"{folder}/*"),
        )

    old, new = f"{folder}/old", f"{folder}/new"
    assert seen() == (["old"], [True, False, False], False, [old], [old])
    assert (size(old), read_bytes(old)) == (3, b"old")
    bucket.put("moment/new", b"new")
    bucket.put("moment/below/one", b"")
    bucket.put("moment/old", b"older")
    assert seen() == (
        ["below", "new", "old"],
        [True] * 3,
        True,
        [f"{folder}/below/one", new, old],
        [f"{folder}/below", new, old],
    )
    assert (size(old), read_bytes(old), read_range(old, 2, 9)) == (5, b"older", b"der")
    with open_read(old) as file:
        assert file.read() == b"older"
    bucket.delete("moment/new")
    bucket.delete("moment/below/one")
    assert seen() == (["old"], [True, False, False], False, [old], [old])


@pytest.mark.usefixtures("store")
def test_a_folder_that_was_made_by_hand_is_empty(bucket: Bucket) -> None:
    bucket.put("by hand/", b"")
    assert list_names(bucket.uri("by hand")) == []
    assert not require_empty_or(bucket.uri("by hand"), "dataset.json", "a dataset")


@pytest.mark.usefixtures("hasty")
def test_what_is_removed_twice_is_gone(store: Proxy, bucket: Bucket) -> None:
    for name in ("a", "b/c", "b/d"):
        bucket.put(f"gone/{name}", b"")
    store.faults = [Fault("lost", of("delete"))]  # every removal takes effect, and its answer never comes
    store.faults[0].times = 3
    remove(bucket.uri("gone/a"))
    remove_tree(bucket.uri("gone/b"))
    assert files_below(bucket.uri("gone")) == []
    remove(bucket.uri("gone/a"))
    remove_tree(bucket.uri("gone/b"))


@pytest.mark.usefixtures("store")
def test_an_empty_file_comes_back(bucket: Bucket, tmp_path: Path) -> None:
    uri = bucket.uri("empty")
    assert write_if_absent(uri, b"")
    download(uri, str(tmp_path / "empty"))
    with open_read(uri) as file:
        assert (file.read(), read_bytes(uri), read_range(uri, 0, 5), size(uri)) == (b"", b"", b"", 0)
    assert (tmp_path / "empty").read_bytes() == b""


def test_a_table_is_read_by_the_pieces_that_it_needs(store: Proxy, bucket: Bucket) -> None:
    table = pa.table({"track_id": [os.urandom(512).hex() for _ in range(12_000)]})
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=500, compression="none")
    bucket.put("table.parquet", sink.getvalue())
    store.forget()
    with open_read(bucket.uri("table.parquet")) as file:
        assert pq.ParquetFile(file).read_row_group(7) == table.slice(3500, 500)
    assert store.sent["table.parquet"] < 0.25 * len(sink.getvalue())
