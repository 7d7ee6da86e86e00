"""The job of the command `listen`: serve the page on loopback until it is stopped."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator

import uvicorn

from schemas.console.errors import UserError
from schemas.console.printer import print_report
from schemas.console.report import Line, Report, following, heading
from schemas.console.stopping import Stopped, deferred_stop
from schemas.console.terminal import say
from training.listen.app import HOSTS, make_app
from training.listen.heard import Listener
from training.listen.similar_tracks import SimilarSearch, require_index
from training.serving.saved_model import SavedModel

_MOST_CONNECTIONS = 32
_LEAVING_SECONDS = 1  # for answers that are under way when the command is stopped


def listen(model_uri: str, *, index: str | None = None, port: int = 8000) -> None:
    """Serve the page on 127.0.0.1 until ^C or SIGTERM, after which it returns.

    Args:
        model_uri: a SavedModel that `export` wrote.
        index: folder of tags that the model made, in which similar tracks are searched; None for no search.
        port: where to listen; 0 for any that is free.

    Raises:
        UserError: there is no such model, the tags are not its own, or the port is taken.
    """
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(contextlib.closing(_bound_socket(port)))
        model = SavedModel(model_uri)
        excerpt = None if index is None else require_index(index, model_uri)
        search = None if index is None else stack.enter_context(SimilarSearch(index))
        app = make_app(Listener(model, excerpt), model_uri, search)
        with contextlib.suppress(Stopped), deferred_stop() as is_stopped:
            config = uvicorn.Config(
                app,
                log_config=None,
                log_level="critical",
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_graceful_shutdown=_LEAVING_SECONDS,
            )
            print_report(_report(model_uri, model, index, bound.getsockname()[1]))
            _Server(config, is_stopped).run([bound])
    say("no longer listening")


def _bound_socket(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOSTS[0], port))
        bound.listen()  # the second of two commands that begin at once is refused here
    except OSError as error:
        bound.close()
        causes = {
            errno.EADDRINUSE: "another program listens there",
            errno.EACCES: "only root may listen there",
        }
        words = causes.get(error.errno or 0, error.strerror or str(error))
        raise UserError(f"--port: {port}: {words}; give another, or 0 for any that is free") from error
    return bound


def _report(model_uri: str, model: SavedModel, index: str | None, port: int) -> Report:
    return Report.of(
        [
            heading(f"{model_uri}: {len(model.tags):,} tags"),
            *([] if index is None else [Line(f"  similar tracks from {index}")]),
            following(f"open http://{HOSTS[0]}:{port} in a browser; press ^C to stop"),
        ]
    )


class _Server(uvicorn.Server):
    """A server that leaves signals to this project's own handlers.

    Args:
        config: of uvicorn.
        is_stopped: whether a signal has arrived.
    """

    def __init__(self, config: uvicorn.Config, is_stopped: Callable[[], bool]) -> None:
        super().__init__(config)
        self._is_stopped = is_stopped

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        return self._is_stopped() or await super().on_tick(counter)
