"""A headless Chromium, driven through its DevTools protocol."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_SECONDS = 60


class Chromium:
    """A browser with one page; the test is skipped where there is none.

    Args:
        folder: for its profile.

    Attributes:
        problems: errors that the page has logged, and exceptions of its scripts.
    """

    def __init__(self, folder: Path) -> None:
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            pytest.skip("no Chromium is installed")
        connect = pytest.importorskip("websockets.sync.client").connect
        words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--mute-audio"]
        words += [f"--user-data-dir={folder}", "--autoplay-policy=no-user-gesture-required", "about:blank"]
        self._process = subprocess.Popen([program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self._port(folder / "DevToolsActivePort")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            target = next(one for one in json.load(answer) if one["type"] == "page")
        self._socket = connect(target["webSocketDebuggerUrl"], max_size=None)
        self._numbers = itertools.count(1)
        self.problems: list[str] = []
        for domain in ("Runtime", "Log", "Page", "DOM"):
            self.call(f"{domain}.enable")
        self.resize(1280)
        calm = {"name": "prefers-reduced-motion", "value": "reduce"}  # nothing moves while it is clicked
        self.call("Emulation.setEmulatedMedia", features=[calm])

    def _port(self, file: Path) -> int:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not file.exists() or "\n" not in file.read_text():
            assert self._process.poll() is None, "Chromium ended"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return int(file.read_text().splitlines()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(20)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a method of the protocol."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message: dict[str, Any] = json.loads(self._socket.recv(PATIENCE_SECONDS))
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            if message.get("method") == "Runtime.exceptionThrown":
                self.problems.append(str(message["params"]["exceptionDetails"]))
            elif message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                self.problems.append(message["params"]["entry"]["text"])

    def resize(self, width: int) -> None:
        """Gives the window a width in pixels; a narrow one is a phone's."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression, once it is there."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Waits until an expression is true."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.value(expression):
            assert time.monotonic() < deadline, expression
            time.sleep(0.05)

    def choose(self, selector: str, file: Path) -> None:
        """Chooses a file, as a user does in the dialogue of an input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def drop(self, file: Path) -> None:
        """Drops a file on the page, as a user does from a folder."""
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=200, y=300, data=data)
