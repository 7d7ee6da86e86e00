"""docs/examples/serve.py on loopback: it answers as `load_tagger` scores, refuses what is too much, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

from tests.warm_commands import WarmCommand
from training import load_tagger

ROOT = Path(__file__).parents[3]
MOST_BYTES, UPLOAD_SECONDS = 4 << 20, 1.5
# The example with lower limits, in a process that has imported TensorFlow for training/ already.
PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT / "docs" / "examples")!r})
import serve
serve.MOST_BYTES, serve.UPLOAD_SECONDS, serve.MOST_SECONDS_OF_AUDIO = {MOST_BYTES}, {UPLOAD_SECONDS}, 20.0
serve.WORKERS = 2
serve.main()
"""
pytestmark = pytest.mark.slow


class Server:
    """The running example.

    Attributes:
        folder: its folder for temporary files.
        client: what asks it.
    """

    def __init__(self, model: Path, folder: Path) -> None:
        self.folder = folder
        words = ["-c", PROGRAM, "--model", model, "--port", "0"]
        self.command = WarmCommand(words, env={**os.environ, "TMPDIR": str(folder)})
        found = self.command.wait_until_printed(r"running on (http://127\.0\.0\.1:(\d+))")
        self.port = int(found[2])
        self.client = httpx.Client(base_url=found[1], timeout=60)

    def post(self, content: object) -> httpx.Response:
        return self.client.post("/tags", files={"song": ("song", content)})  # type: ignore[dict-item]

    def require_clean(self) -> None:
        """Wait until it has let go of every file, and require that none lies in its folder and that it answers."""
        deadline = time.monotonic() + 20
        # The decoding processes write their results to files without names, and take turns by locks in a folder.
        while left := [name for name in self.open_files() if "(deleted)" not in name]:
            assert time.monotonic() < deadline, left
            time.sleep(0.05)
        assert [path.name for path in self.folder.iterdir() if path.name != f"tagscale-{os.getuid()}"] == []
        health = self.client.get("/health")
        assert (health.status_code, health.json()) == (200, {"status": "ok", "waiting": 0})

    def open_files(self) -> list[str]:
        found = []
        for descriptor in Path(f"/proc/{self.command.pid}/fd").iterdir():
            try:
                found.append(os.readlink(descriptor))
            except FileNotFoundError:
                continue
        return [name for name in found if name.startswith(str(self.folder)) and "tagscale-" not in name]

    def uploads(self) -> int:
        """Number of files that it holds open for uploads or for results."""
        return len(self.open_files())


@pytest.fixture(scope="module")
def server(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(small_model, tmp_path_factory.mktemp("temporary"))
    yield running
    running.client.close()
    running.command.terminate()
    try:
        assert running.command.wait(30) in (0, -15)
        assert "Traceback" not in running.command.printed()[1]
    finally:
        running.command.kill()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Four seconds of noise whose loudness changes."""
    rng = np.random.default_rng(0)
    sound = rng.normal(scale=0.1, size=4 * 22_050) * np.linspace(0, 1, 4 * 22_050)
    soundfile.write(tmp_path / "song.ogg", sound, 22_050)
    return tmp_path / "song.ogg"


def test_many_clients_get_the_scores_of_the_tagger(server: Server, small_model: Path, song: Path) -> None:
    (expected,) = load_tagger(str(small_model)).tag(str(song))
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: server.post(song.read_bytes()), range(12)))
    for answer in answers:
        assert answer.status_code == 200, answer.text
        fields = answer.json()
        assert fields["seconds"] == expected.seconds
        # The server is another process, whose threads may add up in another order.
        assert list(fields["scores"]) == list(expected.scores)
        assert fields["scores"] == pytest.approx(expected.scores, abs=1e-6)
    server.require_clean()


def test_what_is_no_song_is_refused_with_the_cause(server: Server, song: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.flac", np.zeros(21 * 8_000), 8_000)
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8_000)
    for content, status, words in (
        (b"no music here", 422, "^unsupported_format: "),
        (b"", 422, "^(empty|unsupported_format|decode_error): "),
        ((tmp_path / "empty.wav").read_bytes(), 422, "^empty: "),
        ((tmp_path / "long.flac").read_bytes(), 422, "^too_long: "),
        (b"#EXTM3U\n/etc/passwd\n", 422, "^unsupported_format: "),
    ):
        answer = server.post(content)
        assert (answer.status_code, bool(re.search(words, answer.json()["detail"]))) == (status, True), answer.text
    for request in (
        {"content": song.read_bytes()},
        {"data": {"song": "song"}, "files": []},
        {"files": [("song", b"a"), ("song", b"b")]},
        {"content": b"--x\r\nno part", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
    ):
        assert server.client.post("/tags", **request).status_code == 400  # type: ignore[arg-type]
    server.require_clean()


def test_an_upload_that_is_too_large_is_refused_before_it_is_read(server: Server) -> None:
    block, sent = bytes(1 << 16), 0

    def endless(size: int) -> Iterator[bytes]:
        nonlocal sent
        yield b'--x\r\ncontent-disposition: form-data; name="song"; filename="a"\r\n\r\n'
        for _ in range(size // len(block)):
            sent += len(block)
            yield block

    kind = {"content-type": "multipart/form-data; boundary=x"}
    declared = {**kind, "content-length": str(2 << 30)}
    answer = server.client.post("/tags", content=endless(2 << 30), headers=declared)
    assert answer.status_code == 413
    assert answer.json()["detail"] == "expected at most 4,194,304 bytes, the request declares 2147483648"
    assert sent < 64 << 20  # what fits into the buffers on the way
    sent = 0
    answer = server.client.post("/tags", content=endless(2 << 30), headers=kind)
    assert (answer.status_code, answer.json()["detail"]) == (413, "expected at most 4,194,304 bytes")
    assert sent < 64 << 20
    server.require_clean()


def _begun_upload(server: Server, size: int) -> socket.socket:
    """A connection on which an upload has begun, of which most is still missing."""
    part = b'--x\r\ncontent-disposition: form-data; name="song"; filename="a"\r\n\r\n' + bytes(size)
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.sendall(
        b"POST /tags HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=x\r\n"
        b"content-length: 4000000\r\n\r\n" + part
    )
    return connection


def test_a_slow_upload_ends(server: Server) -> None:
    connection = _begun_upload(server, 10)
    connection.settimeout(0.1)
    answer, deadline = b"", time.monotonic() + 30
    while not answer:
        assert time.monotonic() < deadline
        connection.sendall(b"a")  # it trickles in all the time
        with contextlib.suppress(TimeoutError):
            answer = connection.recv(1 << 16)
    connection.settimeout(30)
    with contextlib.suppress(ConnectionResetError):  # as the server leaves bytes unread, which may cost the body
        while more := connection.recv(1 << 16):  # the body may come after the head; then the server closes
            answer += more
    assert answer.startswith(b"HTTP/1.1 408 ")
    body = answer.partition(b"\r\n\r\n")[2]
    assert not body or json.loads(body)["detail"] == "expected the whole file within 1.5 s"
    server.require_clean()


def _wait_for(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_client_that_vanishes_leaves_nothing(server: Server) -> None:
    before = server.uploads()
    # Starlette keeps the first megabyte of a file in memory, and the rest of it on the disk.
    connections = [_begun_upload(server, 2 << 20) for _ in range(3)]
    _wait_for(lambda: server.uploads() == before + 3)
    for connection in connections:
        connection.close()
    _wait_for(lambda: server.uploads() == before)
    server.require_clean()


def test_damaged_files_cost_one_answer_each(server: Server, material: Path, song: Path) -> None:
    for path in sorted((material / "audio" / "bad" / "own").iterdir()):
        if path.is_file() and path.stat().st_size < MOST_BYTES // 2:
            assert server.post(path.read_bytes()).status_code in (200, 422), path
    assert server.post(song.read_bytes()).status_code == 200
    server.require_clean()


def test_too_many_songs_and_a_slow_answer_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "examples"))
    import serve  # type: ignore[import-not-found]

    class Stuck:
        """Never answers."""

        def __init__(self, model: str) -> None:
            self.jobs: set[concurrent.futures.Future[dict[str, object]]] = set()

        def submit(self, song: object) -> concurrent.futures.Future[dict[str, object]]:
            job: concurrent.futures.Future[dict[str, object]] = concurrent.futures.Future()
            job.set_running_or_notify_cancel()  # a thread has begun with it, so that it cannot be taken back
            self.jobs.add(job)
            return job

    monkeypatch.setattr(serve, "SongTagger", Stuck)
    monkeypatch.setattr(serve, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(serve, "MOST_WAITING", 2)

    async def answers() -> list[httpx.Response]:
        transport = httpx.ASGITransport(serve.make_app("model"))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            posted = [await client.post("/tags", files={"song": b"a"}) for _ in range(3)]
            return [*posted, await client.get("/health")]

    *refused, health = asyncio.run(answers())
    assert [answer.status_code for answer in refused] == [504, 504, 503]
    assert health.json() == {"status": "ok", "waiting": 2}
