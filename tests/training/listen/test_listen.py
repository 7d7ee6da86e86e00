"""The command `listen`: what it refuses, what a browser shows, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import training.run
from schemas.console.errors import UserError
from tests.training.listen.chromium import Chromium
from tests.training.listen.conftest import upload
from tests.training.listen.test_similar_tracks import write_tags
from tests.warm_commands import WarmCommand
from training import load_tagger

ROOT = Path(__file__).parents[3]
STOPS = (signal.SIGINT, signal.SIGTERM)


class Page:
    """A running `listen`.

    Attributes:
        folder: its folder for temporary files.
        address: of the page.
    """

    def __init__(self, model: Path, folder: Path) -> None:
        self.folder = folder
        words = [ROOT / "training" / "run.py", "listen", "--model", model, "--port", "0"]
        self.command = WarmCommand(words, env={**os.environ, "TMPDIR": str(folder)})
        self.address = self.command.wait_until_printed(r"open (http://127\.0\.0\.1:\d+) in a browser")[1]


@pytest.fixture
def page(small_model: Path, tmp_path: Path) -> Iterator[Page]:
    (tmp_path / "temporary").mkdir()
    running = Page(small_model, tmp_path / "temporary")
    yield running
    running.command.kill()


def test_what_cannot_be_served_is_one_line_before_it_serves(small_model: Path, tmp_path: Path) -> None:
    def refusal(model: Path, index: Path | None = None, port: int = 0) -> str:
        assert training.run.listen_command.callback is not None
        with pytest.raises(UserError) as refused:
            training.run.listen_command.callback(model=str(model), index=index and str(index), port=port)
        assert "\n" not in str(refused.value)
        return str(refused.value)

    import tensorflow as tf

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refusal(small_model, port=port).startswith(
            f"--port: {port}: another program listens there; give another"
        )
    tf.saved_model.save(tf.Module(), str(tmp_path / "foreign"))
    assert "expected a SavedModel that `export` wrote" in refusal(tmp_path / "foreign")
    assert "found no saved_model.pb" in refusal(tmp_path / "missing")
    write_tags(tmp_path / "tags", small_model, model="0" * 64)
    assert "found those of another model" in refusal(small_model, tmp_path / "tags")
    assert "found no tags.json" in refusal(small_model, tmp_path)


def _listening(page: Page) -> list[str]:
    """The addresses at which its port listens, as the kernel writes them."""
    port = int(page.address.rsplit(":", 1)[1])
    rows = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1].split(":")[0] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")]


@pytest.mark.slow
@pytest.mark.parametrize("number", STOPS, ids=lambda number: number.name)
def test_a_stop_ends_it_with_exit_code_0_and_leaves_nothing(page: Page, song: Path, number: signal.Signals) -> None:
    assert _listening(page) == ["0100007F"]  # 127.0.0.1 alone
    assert httpx.post(f"{page.address}/songs", files=upload(song), timeout=60).status_code == 200
    # An upload that is under way does not hold it back.
    host, port = page.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /songs HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-length: 3000000\r\n"
        part = '--x\r\ncontent-disposition: form-data; name="song"; filename="a"\r\n\r\n'
        connection.sendall(f"{head}content-type: multipart/form-data; boundary=x\r\n\r\n{part}".encode())
        connection.sendall(bytes(2 << 20))
        page.command.send_signal(number)
        assert page.command.wait(60) == 0, page.command.printed()
    out, err = page.command.printed()
    assert (out.splitlines()[-1], err) == ("no longer listening", "")
    assert [path.name for path in page.folder.iterdir() if path.name != f"tagscale-{os.getuid()}"] == []


@pytest.mark.slow
def test_a_browser_shows_and_plays_what_the_model_hears(
    page: Page, small_model: Path, song: Path, tmp_path: Path
) -> None:
    with Chromium(tmp_path / "profile") as browser:
        browser.open(page.address)
        assert browser.value("at('song').hidden") is True
        (tmp_path / "notes.txt").write_text("no music here")
        browser.choose("#file", tmp_path / "notes.txt")
        browser.wait("at('status').className === 'problem'")
        assert "notes.txt: the model cannot hear this file: unsupported_format" in browser.value(
            "at('status').textContent"
        )
        with open(tmp_path / "huge.wav", "wb") as huge:
            huge.truncate(2 << 30)  # no byte of it is sent
        browser.choose("#file", tmp_path / "huge.wav")
        browser.wait("at('status').textContent.startsWith('huge.wav')")
        assert "expected at most 200 MB, received 2,147 MB" in browser.value("at('status').textContent")
        (problem,) = browser.problems
        assert "status of 422" in problem
        browser.problems.clear()

        browser.drop(song)
        browser.wait("!at('song').hidden")
        (tagged,) = load_tagger(str(small_model)).tag(str(song))
        shown = browser.value("[...document.querySelectorAll('#tags li')].map(one => one.innerText.split('\\n'))")
        expected = [[tag, f"{score:.2f}"] for tag, score in tagged.scores.items()]
        assert [[words[0], words[-1]] for words in shown] == expected
        assert browser.value("at('name').textContent") == song.name
        assert browser.value("at('status').textContent") == ""
        browser.wait("at('image').naturalWidth > 0 && player.readyState > 0")
        assert browser.value("[at('image').naturalWidth, at('image').naturalHeight]") == [251, 96]
        assert browser.value("player.duration") == pytest.approx(4.0, abs=0.01)
        # A click into a picture moves the player, and the line over both pictures shows where it is.
        box = "at('timeline').getBoundingClientRect()"
        x, y = browser.value(f"[{box}.left + {box}.width * 0.75, {box}.top + 10]")
        for kind in ("mousePressed", "mouseReleased"):
            browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        browser.wait("!player.seeking && player.currentTime > 2.5")
        assert browser.value("player.currentTime") == pytest.approx(3.0, abs=0.05)
        head = "at('head').getBoundingClientRect()"
        browser.wait(f"Math.abs({head}.left + {head}.width / 2 - {x}) < 3")
        now = browser.value("[...document.querySelectorAll('#legend span')].map(one => one.textContent)")
        step = "shown.edges.findIndex(edge => edge > 3) - 1"
        assert now == browser.value(f"shown.lines.map(line => line.scores[{step}].toFixed(2))")
        browser.value("player.play()")
        browser.wait("player.currentTime > 3.2")
        # What comes from outside is text.
        evil = "track_id: '<img src=x onerror=alert(1)>', tags: {'<b>': 1}, uri: '<i>'"
        row = f"{{rank: 1, similarity: 1, group: null, plays: false, {evil}}}"
        assert browser.value(f"trackOf(shown, {row}).querySelectorAll('img, b, i').length") == 0
        browser.resize(390)
        assert browser.value("[document.documentElement.scrollWidth, innerWidth]") == [390, 390]  # it fits a phone
        assert browser.problems == []
