"""A job is cancelled by Flink's REST interface; the server here answers as Flink 1.19's was seen to.

tests/engines does the same on a real cluster.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.jobs.flink_cancel import FlinkError, cancel_on_flink, flink_address
from pipeline.jobs.remote_run import RemoteRun

JOBS = [
    {"jid": "aa", "name": "BeamApp-one", "start-time": 1, "state": "FINISHED"},
    {"jid": "bb", "name": "BeamApp-one", "start-time": 3, "state": "RUNNING"},
    {"jid": "cc", "name": "BeamApp-two", "start-time": 4, "state": "RUNNING"},
]


@contextlib.contextmanager
def flink(states: list[str], told: list[str]) -> Iterator[str]:
    """Answers with these states of job bb, the last of them for ever, once it was told to cancel it."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/jobs/overview":
                self._answer({"jobs": JOBS})
            elif told:
                self._answer({"state": states.pop(0) if len(states) > 1 else states[0]})
            else:
                self._answer({"state": "RUNNING"})

        def do_PATCH(self) -> None:
            told.append(self.path)
            self._answer({})

        def _answer(self, fields: object) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(fields).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_newest_job_of_the_name_is_cancelled_and_waited_for() -> None:
    told: list[str] = []
    with flink(["CANCELLING", "CANCELLING", "CANCELED"], told) as address:
        assert cancel_on_flink(address, "BeamApp-one", seconds=30) == "CANCELED"
    assert told == ["/jobs/bb?mode=cancel"]


def test_a_job_that_flink_does_not_end_or_know_is_said() -> None:
    with flink(["CANCELLING"], []) as address:
        with pytest.raises(FlinkError, match=f"{address} still has job bb as CANCELLING"):
            cancel_on_flink(address, "BeamApp-one", seconds=0.1)
        with pytest.raises(FlinkError, match="has no job BeamApp-three"):
            cancel_on_flink(address, "BeamApp-three", seconds=1)
    with pytest.raises(FlinkError, match="does not answer as it should: .*refused"):
        cancel_on_flink(address, "BeamApp-one", seconds=1)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ([], None),
        (["--flink_master=[local]"], None),
        (["--flink_master=flink:8081"], "http://flink:8081"),
        (["--flink_master=https://flink:8081/"], "https://flink:8081"),
    ],
)
def test_its_address_is_that_of_the_options(given: list[str], address: str | None) -> None:
    assert flink_address(PipelineOptions(given)) == address


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (["CANCELED"], "job BeamApp-one_1-2 of the job server at jobs:1 was cancelled, as Flink at"),
        (["FINISHED"], "had ended as FINISHED"),
    ],
)
def test_what_flink_says_is_what_the_command_says(states: list[str], words: str) -> None:
    class Result:
        _job_id = "BeamApp-one_1-2"

        def cancel(self) -> None:
            pass

    with flink(states, []) as address:
        options = PipelineOptions(["--job_endpoint=jobs:1", f"--flink_master={address}"])
        assert words in RemoteRun(Result(), options)._cancel()
    assert "may still run: Flink at" in RemoteRun(Result(), options)._cancel()
    options = PipelineOptions(["--job_endpoint=jobs:1"])
    assert "was told to stop; its engine may go on with it" in RemoteRun(Result(), options)._cancel()
