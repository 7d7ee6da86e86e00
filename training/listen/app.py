"""The page's server: it takes songs, answers with what the model hears in them, and plays them."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.audio.causes import TrackRejected
from schemas.console.commandline import unexpected
from schemas.console.errors import TagscaleError
from schemas.console.page import render_page
from schemas.console.terminal import say
from training.listen.heard import Listener, open_path
from training.listen.shelf import Shelf, ShelvedSong
from training.listen.similar_tracks import SimilarSearch
from training.listen.uploads import MOST_BYTES, refusal, uploaded_file

HOSTS = ("127.0.0.1", "localhost")
MOST_WAITING = 4  # songs that are heard or wait for it
_LOOK_SECONDS = 0.5  # between two looks at whether a client is still there
_STATIC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "static")
# Nothing from elsewhere is loaded, and no other site may show or play what is here.
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}

_T = TypeVar("_T")


def make_app(listener: Listener, model_uri: str, search: SimilarSearch | None = None) -> FastAPI:
    """The application.

    Args:
        listener: hears the songs.
        model_uri: its model, as the user names it.
        search: searches tags for similar tracks; None for no search.
    """
    app = FastAPI(openapi_url=None)
    app.add_middleware(_Headers)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)
    shelf = Shelf()
    hearing = ThreadPoolExecutor(1, thread_name_prefix="hearing")  # the model uses all cores for one song
    waiting: set[Request] = set()
    page = render_page(
        "training.listen",
        "listen.html",
        title="Listen with the model",
        model=model_uri,
        index=None if search is None else search.index,
        tags=len(listener.model.tags),
        sample_rate=listener.model.spec.sample_rate,
        most_bytes=MOST_BYTES,
    )

    def song_of(number: int) -> ShelvedSong:
        song = shelf.get(number)
        if song is None:
            raise HTTPException(404, "this song is no longer kept; drop it again")
        return song

    @app.get("/")
    async def show() -> Response:
        return HTMLResponse(page)

    @app.get("/listen.js")
    async def script() -> Response:
        return FileResponse(os.path.join(_STATIC, "listen.js"), media_type="text/javascript")

    @app.get("/favicon.ico")
    async def icon() -> Response:
        return Response(status_code=204)  # browsers ask for it

    @app.post("/songs", dependencies=[Depends(_require_own_page)])
    async def hear(request: Request) -> Response:
        if len(waiting) >= MOST_WAITING:
            raise refusal(503, "other songs are waiting to be heard; try again in a while")
        waiting.add(request)
        try:
            name, upload = await uploaded_file(request)
            song = await asyncio.get_running_loop().run_in_executor(hearing, listener.hear, name, upload)
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody reads any more
        except TrackRejected as rejected:
            raise HTTPException(422, f"the model cannot hear this file: {rejected}") from None
        except HTTPException:
            raise
        except Exception as error:
            raise _failure(error) from None
        finally:
            waiting.discard(request)
        return JSONResponse({"number": shelf.put(song), **song.facts})

    @app.get("/songs/{number}/heard.wav")
    async def heard(number: int) -> Response:
        return FileResponse(open_path(song_of(number).song.heard), media_type="audio/wav")

    @app.get("/songs/{number}/similar", dependencies=[Depends(_require_own_page)])
    async def similar(request: Request, number: int) -> Response:
        if search is None:
            raise HTTPException(404, "expected --index, in which similar tracks are searched")
        shelved = song_of(number)
        try:
            found = shelved.similar
            if found is None:
                found = await _while_connected(request, search.near(shelved.song))
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody reads any more
        except Exception as error:
            raise _failure(error) from None
        shelved.similar = found
        return JSONResponse({"rows": found.rows, "missing_source": found.missing_source})

    @app.get("/songs/{number}/similar/{rank}/audio")
    async def track(number: int, rank: int) -> Response:
        # A track is asked for by its place in an answer, so that no path ever comes from a browser.
        found = song_of(number).similar
        path = None if found is None else found.paths.get(rank)
        if path is None or not os.path.isfile(path):
            raise HTTPException(404, "there is no such track to play")
        return FileResponse(path, media_type=mimetypes.guess_type(path)[0] or "application/octet-stream")

    return app


def _require_own_page(request: Request) -> None:
    """Refuse what another site's page sends here."""
    own = f"http://{request.headers['host']}"
    is_foreign = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    if is_foreign or request.headers.get("origin", own) != own:
        raise refusal(403, "expected a request of this page, received one of another site")


async def _while_connected(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """The result of work, which is given up once the client is gone: its page has another song, or is closed.

    Raises:
        ClientDisconnect: it was given up.
    """
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([task], timeout=_LOOK_SECONDS))[0]:
            if await request.is_disconnected():
                raise ClientDisconnect
    finally:
        task.cancel()  # also where the command is stopped; a task that is done stays as it is
    return task.result()


def _failure(error: Exception) -> HTTPException:
    """An answer for an error, which is also said where the command runs if nobody foresaw it."""
    known = error if isinstance(error, TagscaleError) else unexpected(error)
    if known is not error:
        say(f"error: {known}", file=sys.stderr, level="error")
    return HTTPException(500, str(known))


class _Headers:
    """Adds headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._added]
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
