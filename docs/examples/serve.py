"""A server that tags songs, to be copied and changed: POST a file to /tags as multipart/form-data, get its scores as JSON.

    python docs/examples/serve.py --model run/saved_model --port 8000
    curl -F song=@song.mp3 http://127.0.0.1:8000/tags

Answers: 200 with `seconds` and `scores`, the highest first; 400 no file in the request; 408 the upload took too long; 413
too large; 422 no decoder can read it, with the cause; 503 too many songs are waiting; 504 no answer in time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from pipeline.audio import TrackRejected
from pipeline.audio.isolation import DecodingProcess
from schemas.features import logmel_over, with_excerpt
from training import load_tagger

MOST_BYTES = 100 << 20  # of a request; together with MOST_CONNECTIONS it bounds the temporary disk space
MOST_CONNECTIONS = 32
MOST_SECONDS_OF_AUDIO = 1200.0  # few bytes may hold hours of audio; this bounds the time and the memory of a song
MOST_WAITING = 16  # songs that are being tagged or wait for a worker
UPLOAD_SECONDS = 60.0  # for the whole upload, so that a client that sends a byte now and then does not stay for ever
ANSWER_SECONDS = 60.0
WORKERS = os.cpu_count() or 1


class SongTagger:
    """Tags songs in threads that share the model; each thread has a decoding process of its own.

    A song that crashes, hangs or floods its decoder costs only that process, which is then started again.
    """

    def __init__(self, model: str) -> None:
        self._tagger = load_tagger(model)
        self._own = threading.local()
        self._threads = ThreadPoolExecutor(WORKERS, initializer=self._start_thread)
        self.jobs: set[Future[dict[str, Any]]] = set()

    def _start_thread(self) -> None:
        spec = with_excerpt(logmel_over(self._tagger.spec), "full")
        self._own.decoding = DecodingProcess(spec, max_seconds=MOST_SECONDS_OF_AUDIO)

    def submit(self, song: BinaryIO) -> Future[dict[str, Any]]:
        """Let the next free thread tag an open file, and close it."""
        job = self._threads.submit(self._tag, song)
        self.jobs.add(job)
        job.add_done_callback(self.jobs.discard)
        return job

    def _tag(self, song: BinaryIO) -> dict[str, Any]:
        with song:
            # The file has no name: it was deleted when it was made, so that nothing is left of it however this process ends.
            features = self._own.decoding.features(f"/proc/{os.getpid()}/fd/{song.fileno()}")
            waveform = features.waveform.array()
        scores = zip(self._tagger.tags, self._tagger.scores(waveform).tolist(), strict=True)
        ranked = sorted(scores, key=lambda pair: (-pair[1], pair[0]))
        return {"seconds": len(waveform) / self._tagger.spec.sample_rate, "scores": dict(ranked)}


def refusal(status: int, words: str) -> HTTPException:
    """An answer that ends the connection: what else the client sends is not read."""
    return HTTPException(status, words, headers={"connection": "close"})


async def limited(request: Request) -> AsyncGenerator[bytes, None]:
    """The body of a request, which ends in a refusal as soon as it is too large, whatever size it declares."""
    declared = request.headers.get("content-length", "0")
    received = 0
    words = f"expected at most {MOST_BYTES:,} bytes"
    if not declared.isdecimal() or int(declared) > MOST_BYTES:
        raise refusal(413, f"{words}, the request declares {declared}")
    async for block in request.stream():
        received += len(block)
        if received > MOST_BYTES:
            raise refusal(413, words)
        yield block


async def uploaded_file(request: Request) -> BinaryIO:
    """The file in a request, on a temporary disk file without a name, or in memory if it is small."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise refusal(400, "expected multipart/form-data with one file")
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            # Not `UploadFile` as a parameter: FastAPI would write a file of any size to the disk before it asks.
            form = await MultiPartParser(request.headers, limited(request), max_files=1, max_fields=10).parse()
    except TimeoutError:
        raise refusal(408, f"expected the whole file within {UPLOAD_SECONDS:g} s") from None
    except MultiPartException as error:
        raise refusal(400, error.message) from None
    for _, value in form.multi_items():
        if isinstance(value, UploadFile):
            return value.file
    raise refusal(400, "expected one file, received none")


def make_app(model: str) -> FastAPI:
    """The application, with a model that is loaded once."""
    app = FastAPI(openapi_url=None)
    tagger = SongTagger(model)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "waiting": len(tagger.jobs)}

    @app.post("/tags", response_model=None)
    async def tags(request: Request) -> dict[str, Any] | Response:
        if len(tagger.jobs) >= MOST_WAITING:
            raise refusal(503, "too many songs are waiting; try again in some seconds")
        try:
            job = tagger.submit(await uploaded_file(request))
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asyncio.wrap_future(job)
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody reads any more
        except TrackRejected as rejected:
            raise HTTPException(422, str(rejected)) from None
        except TimeoutError:
            raise refusal(504, f"no answer within {ANSWER_SECONDS:g} s") from None

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a tagger over HTTP.")
    parser.add_argument("--model", required=True, help="SavedModel that `export` wrote")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    app = make_app(options.model)
    uvicorn.run(app, host=options.host, port=options.port, limit_concurrency=MOST_CONNECTIONS)


if __name__ == "__main__":
    main()
