"""A proxy between gcsfs and the emulator: it keeps promises of real buckets, counts requests and bytes, and adds faults.

Real buckets keep these promises and the emulator does not: `ifGenerationMatch=0` lets one writer through, a file that
ends in a carriage return keeps it, a range past the end gets status 416, and an upload session can be cancelled and
gives a repeated chunk the same answer as before.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import functools
import hashlib
import http.client
import http.server
import json
import re
import sys
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable
from typing import Literal

_HOP_BY_HOP = {"connection", "content-length", "keep-alive", "transfer-encoding", "date", "server"}
_WORDS = {308: "Resume Incomplete", 412: "Precondition Failed", 416: "Range Not Satisfiable", 499: "Cancelled"}

DELAY_SECONDS = 0.1

Kind = Literal["download", "info", "list", "upload", "session", "chunk", "delete", "other"]
Effect = Literal["unavailable", "forbidden", "forgotten", "incomplete", "delay", "lost", "cut", "short", "garbled"]
Answer = tuple[int, dict[str, str], bytes]  # status, headers, body


@dataclasses.dataclass(frozen=True)
class Request:
    """A request of gcsfs.

    Attributes:
        kind: `upload` is an upload in a single request; `session` begins one in several requests, each a `chunk`.
        name: name of the object, or of the folder that is listed.
        place: first byte of the range that is read or written; 0 for the whole object.
        create: whether the request must fail if the object exists.
    """

    kind: Kind
    name: str
    place: int
    create: bool


@dataclasses.dataclass
class Fault:
    """A disturbance.

    Attributes:
        effect: `unavailable`: 503, and nothing was done; `forbidden`: 403; `forgotten`: 404, as for an upload session
            that is gone; `incomplete`: 308, for a chunk that the store did not accept. `delay`: the answer comes later.
            `lost`: the request is carried out, and the connection breaks before the answer. `cut`: the connection breaks
            half-way through the answer. `short`: half of the answer comes, and its headers fit that half. `garbled`: one
            byte of the answer is changed.
        of: whether a request may be affected.
        share: share of those requests that are affected, drawn with the seed for each request and each retry.
        seed: seed of the draw: another seed selects other requests.
        times: number of requests after which the fault is over; None if it never is.
        met: the requests that were affected.
    """

    effect: Effect
    of: Callable[[Request], bool]
    share: float = 1.0
    seed: int = 0
    times: int | None = None
    met: list[Request] = dataclasses.field(default_factory=list)

    def meets(self, request: Request, time: int) -> bool:
        if not self.of(request) or (self.times is not None and len(self.met) >= self.times):
            return False
        drawn = hashlib.sha256(f"{self.seed} {self.effect} {request} {time}".encode()).digest()[:8]
        if int.from_bytes(drawn) / (1 << 64) >= self.share:
            return False
        self.met.append(request)
        return True


class Proxy:
    """A proxy on a free port of 127.0.0.1.

    Args:
        emulator: port of the emulator.

    Attributes:
        faults: the current faults; they may be changed at any time.
        requests: all requests so far, in order.
        sent: number of bytes of each object that were sent to a client.
    """

    def __init__(self, emulator: int) -> None:
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.sent: Counter[str] = Counter()
        self._emulator = emulator
        self._lock, self._creating = threading.Lock(), threading.Lock()
        self._times: Counter[Request] = Counter()
        self._taken: dict[tuple[str, int], Answer] = {}  # answers to chunks
        self._server = _Server(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """Restart the counts."""
        with self._lock:
            self.requests.clear()
            self.sent.clear()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # otherwise each answer waits 40 ms for an acknowledgement of its headers

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                proxy._answer(self, _request(self.command, self.path, dict(self.headers), body), body)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer  # noqa: N815 (names of http.server)

            def log_message(self, format: str, *_: object) -> None:
                pass

        return Handler

    def _answer(self, handler: http.server.BaseHTTPRequestHandler, request: Request, body: bytes) -> None:
        with self._lock:
            self.requests.append(request)
            self._times[request] += 1
            faults = [fault for fault in self.faults if fault.meets(request, self._times[request])]
        effects = {fault.effect for fault in faults}
        if "delay" in effects:
            time.sleep(DELAY_SECONDS)
        instead = next((answer for effect, answer in _INSTEAD.items() if effect in effects), None)
        status, headers, data = instead or self._forward(handler, request, body)
        if "lost" in effects:
            handler.close_connection = True
            return
        if "short" in effects:
            data = data[: len(data) // 2]
        if "garbled" in effects and data:
            data = data[:-1] + bytes([data[-1] ^ 1])
        handler.send_response(status, _WORDS.get(status))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        if "cut" in effects:
            data, handler.close_connection = data[: len(data) // 2], True
        if request.kind == "download" and status < 300:
            with self._lock:
                self.sent[request.name] += len(data)
        handler.wfile.write(data)

    def _forward(self, handler: http.server.BaseHTTPRequestHandler, request: Request, body: bytes) -> Answer:
        if handler.command == "DELETE" and request.kind == "chunk":
            return _error(499, "Client Closed Request")
        if request.kind == "chunk":
            place = handler.path, request.place
            if place not in self._taken:
                answer = self._checked(handler, request, body)
                if answer[0] not in (200, 308):
                    return answer
                self._taken[place] = answer
            return self._taken[place]
        return self._checked(handler, request, body)

    def _checked(self, handler: http.server.BaseHTTPRequestHandler, request: Request, body: bytes) -> Answer:
        headers = dict(handler.headers)
        if request.kind == "upload":
            data = body.partition(b"\n--==0==\n")[2].partition(b"\n\n")[2]
            body, headers["Content-Type"] = multipart(_metadata(body), data.removesuffix(b"\n--==0==--"))
            headers["Content-Length"] = str(len(body))
        ask = functools.partial(self._ask, handler.command, handler.path, headers, body)
        if not request.create:
            status, headers, data = ask()
            past = request.kind == "download" and "Range" in handler.headers and status == 206 and not data
            return _error(416, "Requested range not satisfiable") if past else (status, headers, data)
        bucket = re.search("/b/([^/]+)/o", handler.path)
        assert bucket is not None
        info = f"/storage/v1/b/{bucket[1]}/o/{urllib.parse.quote(request.name, safe='')}"
        with self._creating:
            if self._ask("GET", info, {}, b"")[0] == 200:
                return _error(412, "At least one of the pre-conditions you specified did not hold.")
            return ask()

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._emulator, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
            return answer.status, kept, answer.read()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), OSError):  # gcsfs closes a connection once it needs no more of an answer
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def multipart(metadata: dict[str, str], data: bytes) -> tuple[bytes, str]:
    """Body and content type of an upload in one request, so that the emulator takes the bytes as they are."""
    parts = ("application/json\n\n" + json.dumps(metadata), "audio\nContent-Transfer-Encoding: base64\n\n")
    head = "".join(f"\n--boundary\nContent-Type: {part}" for part in parts).lstrip()
    return head.encode() + base64.b64encode(data) + b"\n--boundary--", "multipart/related; boundary=boundary"


def _metadata(body: bytes) -> dict[str, str]:
    """The metadata that gcsfs sends with a file that it uploads in one request."""
    return dict(json.loads(body.partition(b"\n\n")[2].partition(b"\n--==0==\n")[0]))


def _error(status: int, message: str) -> Answer:
    words = json.dumps({"error": {"code": status, "message": message}}).encode()
    return status, {"Content-Type": "application/json"}, words


_INSTEAD: dict[Effect, Answer] = {
    "unavailable": _error(503, "Service Unavailable"),
    "forbidden": _error(403, "Caller does not have storage.objects.get access"),
    "forgotten": _error(404, "Not Found"),
    "incomplete": (308, {}, b""),
}


def _request(method: str, path: str, headers: dict[str, str], body: bytes) -> Request:
    """The request that gcsfs means by a method, a path, headers and a body."""
    url = urllib.parse.urlsplit(path)
    query = dict(urllib.parse.parse_qsl(url.query))
    found = re.fullmatch(r"(/upload|/download)?/storage/v1/b/[^/]+/o(?:/(.+))?", url.path)
    name = urllib.parse.unquote(found[2] or "") if found else ""
    place = re.search(r"bytes[= ](\d+)-", headers.get("Range", headers.get("Content-Range", "")))
    kind: Kind = "other"
    if found and found[1] == "/upload":
        kind = "chunk" if "upload_id" in query else "session" if query["uploadType"] == "resumable" else "upload"
        name = query.get("name") or _metadata(body)["name"]
    elif found and found[1] == "/download":
        kind = "download"
    elif found and method == "DELETE":
        kind = "delete"
    elif found and method == "GET":
        kind, name = ("info", name) if found[2] else ("list", query.get("prefix", ""))
    create = query.get("ifGenerationMatch") == "0" and method != "DELETE"
    return Request(kind, name, int(place[1]) if place else 0, create)
