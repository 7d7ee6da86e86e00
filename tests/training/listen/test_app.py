"""The page's server: a song is answered with what `tag` says of it, and other sites and other files are kept out."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from fastapi import FastAPI
from matplotlib.image import imread

import training.listen.app
import training.listen.uploads
from pipeline.audio import load_waveform
from tests.html_reader import Reader
from tests.training.listen.conftest import HOST, ask, upload
from training import load_tagger
from training.listen.heard import Listener
from training.listen.shelf import KEPT
from training.listen.similar_tracks import SimilarTracks


def test_a_song_is_answered_with_what_the_model_hears(app: FastAPI, small_model: Path, song: Path) -> None:
    async def asked(client: httpx.AsyncClient) -> tuple[httpx.Response, ...]:
        answer = await client.post("/songs", files=upload(song))
        heard = f"/songs/{answer.json()['number']}/heard.wav"
        return answer, await client.get(heard), await client.get(heard, headers={"range": "bytes=44-1043"})

    answer, heard, part = ask(app, asked)
    assert answer.status_code == 200, answer.text
    fields = answer.json()
    (tagged,) = load_tagger(str(small_model)).tag(str(song))
    assert [(one["tag"], one["score"]) for one in fields["scores"]] == list(tagged.scores.items())
    assert (fields["name"], fields["seconds"], fields["sample_rate"]) == ("söng.ogg", 4.0, 16_000)
    assert fields["source"] == {"codec": "ogg/vorbis", "sample_rate": 22_050, "channels": 2, "flags": []}
    # The lines average to the scores, since the patches of this song do not overlap but for the last.
    assert {line["tag"] for line in fields["lines"]} == set(tagged.scores)
    for line in fields["lines"]:
        assert len(line["scores"]) == len(fields["edges"]) - 1
        assert np.mean(line["scores"]) == pytest.approx(tagged.scores[line["tag"]], abs=1e-4)
    assert (fields["edges"][0], fields["edges"][-1]) == (0.0, 4.0)
    pixels = imread(io.BytesIO(base64.b64decode(fields["logmel"].partition(",")[2])), format="png")
    assert pixels.shape[:2] == (96, 251)
    assert pixels[:, -20:].sum() > pixels[:, :20].sum()  # it grows louder, and time runs from left to right
    sound, rate = soundfile.read(io.BytesIO(heard.content), dtype="int16")
    assert rate == 16_000
    np.testing.assert_array_equal(sound, load_waveform(str(song), "full"))
    assert (part.status_code, part.content) == (206, heard.content[44:1044])  # a player can jump


def test_the_page_loads_nothing_from_elsewhere(app: FastAPI) -> None:
    async def asked(client: httpx.AsyncClient) -> tuple[httpx.Response, ...]:
        return await client.get("/"), await client.get("/listen.js"), await client.get("/favicon.ico")

    page, script, icon = ask(app, asked)
    assert (page.status_code, script.status_code, icon.status_code) == (200, 200, 204)
    addresses = [value for name, value in Reader(page.text).attributes if name in ("src", "href")]
    assert addresses == ["/listen.js"]
    assert set(re.findall(r"https?://[^\s\"']+", page.text + script.text)) == {"http://www.w3.org/2000/svg"}
    for answer in (page, script, icon):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_model_s_name_is_shown_as_text(listener: Listener) -> None:
    evil = "</script><b onload=alert(1)>"
    page = ask(training.listen.app.make_app(listener, evil), lambda client: client.get("/"))
    assert "onload" not in [name for name, _ in Reader(page.text).attributes]
    assert evil in "".join(Reader(page.text).texts)


@pytest.mark.parametrize("host", ["http://evil.example:8000", "http://127.0.0.1.evil.example", "http://[::1]:8000"])
def test_another_host_name_is_refused(app: FastAPI, host: str) -> None:
    """A site whose name is made to point here cannot read the page."""
    assert ask(app, lambda client: client.get("/"), host).status_code == 400


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:8001", "https://127.0.0.1:8000"])
def test_a_song_from_another_site_is_refused(app: FastAPI, song: Path, origin: str) -> None:
    answer = ask(app, lambda client: client.post("/songs", files=upload(song), headers={"origin": origin}))
    assert (answer.status_code, "another site" in answer.json()["detail"]) == (403, True)
    marked = {"sec-fetch-site": "cross-site"}  # what a browser says of an image on another site's page
    assert ask(app, lambda client: client.get("/songs/1/similar", headers=marked)).status_code == 403
    answer = ask(app, lambda client: client.post("/songs", files={"song": b"x"}, headers={"origin": HOST}))
    assert answer.status_code == 422


def test_what_cannot_be_heard_is_answered_with_the_cause(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    async def asked(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [
            await client.post("/songs", files={"song": ("a.mp3", b"no music here")}),
            await client.post("/songs", files={"other": ("a.mp3", b"a"), "song": ("b.mp3", b"b")}),
            await client.post("/songs", data={"song": "a"}),
            await client.post("/songs", content=b"a"),
            await client.post("/songs", content=b"a", headers={"content-length": str(2 << 30), **KIND}),
            await client.post("/songs", content=_endless(), headers=KIND),
        ]

    monkeypatch.setattr(training.listen.uploads, "MOST_BYTES", 1_000_000)
    answers = ask(app, asked)
    assert [answer.status_code for answer in answers] == [422, 400, 400, 400, 413, 413]
    assert answers[0].json()["detail"].startswith("the model cannot hear this file: unsupported_format: ")
    assert answers[4].json()["detail"] == "expected a file of at most 1 MB, received 2,147 MB"
    assert answers[5].json()["detail"] == "expected a file of at most 1 MB, received more"


KIND = {"content-type": "multipart/form-data; boundary=x"}


async def _endless() -> Any:
    yield b'--x\r\ncontent-disposition: form-data; name="song"; filename="a"\r\n\r\n'
    for _ in range(1 << 15):  # 2 GiB
        yield bytes(1 << 16)


def test_an_error_that_nobody_foresaw_is_one_line(
    app: FastAPI, listener: Listener, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of\nluck")

    monkeypatch.setattr(listener, "hear", fail)
    answer = ask(app, lambda client: client.post("/songs", files={"song": b"a"}))
    assert answer.status_code == 500
    assert answer.json()["detail"].startswith("unexpected RuntimeError: out of luck")
    assert capsys.readouterr().err.splitlines() == [f"error: {answer.json()['detail']}"]


def test_only_the_last_songs_are_kept(app: FastAPI, song: Path) -> None:
    async def asked(client: httpx.AsyncClient) -> list[int]:
        for _ in range(KEPT + 1):
            assert (await client.post("/songs", files=upload(song))).status_code == 200
        numbers = range(KEPT + 3)
        return [(await client.get(f"/songs/{number}/heard.wav")).status_code for number in numbers]

    assert ask(app, asked) == [404, 404, *[200] * KEPT, 404]


def test_a_track_is_played_only_by_its_place_in_an_answer(listener: Listener, song: Path, tmp_path: Path) -> None:
    (tmp_path / "near.ogg").write_bytes(b"near")

    class Found:
        index = "tags"

        async def near(self, _song: object) -> SimilarTracks:
            return SimilarTracks([{"rank": 1, "track_id": "a"}], None, {1: str(tmp_path / "near.ogg")})

    async def asked(client: httpx.AsyncClient) -> list[httpx.Response]:
        await client.post("/songs", files=upload(song))
        early = await client.get("/songs/1/similar/1/audio")
        answers = [await client.get(f"/songs/1/{place}") for place in ("similar", "similar/1/audio", "similar/2/audio")]
        names = ("..%2f..%2fetc%2fpasswd", "../../etc/passwd", "/etc/passwd", "1%00", "-1")
        return [early, *answers, *[await client.get(f"/songs/1/similar/{name}/audio") for name in names]]

    early, rows, near, *others = ask(training.listen.app.make_app(listener, "model", Found()), asked)  # type: ignore[arg-type]
    assert early.status_code == 404
    assert rows.json()["rows"] == [{"rank": 1, "track_id": "a"}]
    assert (near.status_code, near.content, near.headers["content-type"]) == (200, b"near", "audio/ogg")
    assert {answer.status_code for answer in others} <= {404, 422}
    assert not any("root:" in answer.text for answer in others)


def test_without_an_index_there_is_no_search(app: FastAPI) -> None:
    answer = ask(app, lambda client: client.get("/songs/1/similar"))
    assert (answer.status_code, "--index" in answer.json()["detail"]) == (404, True)


def test_a_search_is_given_up_when_its_client_is_gone(
    listener: Listener, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    class Endless:
        index = "tags"

        async def near(self, _song: object) -> SimilarTracks:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append("search")
            raise AssertionError

    async def asked(client: httpx.AsyncClient) -> None:
        await client.post("/songs", files=upload(song))
        messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> dict[str, object]:
            return next(messages, {"type": "http.disconnect"})

        async def send(message: dict[str, object]) -> None:
            pass

        headers = [(b"host", b"127.0.0.1:8000")]
        scope = {"type": "http", "method": "GET", "path": "/songs/1/similar", "headers": headers, "query_string": b""}
        async with asyncio.timeout(20):
            await app(scope, receive, send)  # type: ignore[arg-type]

    monkeypatch.setattr(training.listen.app, "_LOOK_SECONDS", 0.01)
    app = training.listen.app.make_app(listener, "model", Endless())  # type: ignore[arg-type]
    ask(app, asked)
    assert ended == ["search"]
