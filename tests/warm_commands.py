"""Runs the project's commands in processes forked from one that has already imported the libraries that they need.

Importing Beam takes 3 s of CPU time and importing TensorFlow 8 s, more than most commands of the tests take themselves. A
command that runs here has its own process, arguments, folder, environment and exit code, as it has when a user starts it.
Tests of what happens before or during the imports start an interpreter of their own.
"""

from __future__ import annotations

import ast
import atexit
import functools
import importlib
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

COMMANDS = {"pipeline": ROOT / "pipeline" / "run.py", "training": ROOT / "training" / "run.py"}
POLL_SECONDS = 0.01


def run_warm(
    words: Sequence[object],
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 300,
    check: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Runs `python WORDS…` to its end, like `subprocess.run` with captured text.

    Args:
        words: `-m MODULE`, `-c PROGRAM` or the path of a script, and its arguments.
        cwd: Working directory; None for the checkout.
        env: Environment; None for that of the tests.
        timeout: Seconds after which it is killed.
        check: Whether an exit code other than 0 fails the test.

    Raises:
        subprocess.TimeoutExpired: The command took longer; it was killed.
    """
    command = WarmCommand(words, cwd=cwd, env=env)
    code = command.wait(timeout)
    ended = subprocess.CompletedProcess(command.words, code, *command.printed())
    assert not check or code == 0, f"{command.words}: {code}\n{ended.stdout[-1500:]}\n{ended.stderr[-3000:]}"
    return ended


class WarmCommand:
    """A running `python WORDS…`, with the arguments of `run_warm`.

    Attributes:
        words: The words.
        pid: Its process id.
        returncode: Its exit code once it has ended, negative for a signal.
    """

    def __init__(
        self,
        words: Sequence[object],
        *,
        cwd: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        start_new_session: bool = False,
    ) -> None:
        self.words = [str(word) for word in words]
        self.returncode: int | None = None
        environment = dict(os.environ if env is None else env)
        in_training = any(name in "\n".join(self.words[:2]) for name in ("training", "tensorflow"))
        # TensorFlow reads some of its variables when it is imported, but not the one that describes a cluster.
        early = {name: value for name, value in environment.items() if name.startswith(("TF_", "OMP_"))}
        early.pop("TF_CONFIG", None)
        self._server = _server("training" if in_training else "pipeline", json.dumps(early, sort_keys=True))
        self._folder = tempfile.TemporaryDirectory()
        self._files = Path(self._folder.name, "stdout"), Path(self._folder.name, "stderr")
        request = {
            "words": self.words,
            "cwd": str(cwd or ROOT),
            "env": environment,
            "stdout": str(self._files[0]),
            "stderr": str(self._files[1]),
            "session": start_new_session,
        }
        self.pid: int = self._server.ask(request)

    def poll(self) -> int | None:
        """Its exit code if it has ended."""
        if self.returncode is None:
            self.returncode = self._server.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float = 300) -> int:
        """Waits for its end; kills it after the time-out."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                self.kill()
                raise subprocess.TimeoutExpired(self.words, timeout)
            time.sleep(POLL_SECONDS)
        return code

    def printed(self) -> tuple[str, str]:
        """What it has written to stdout and to stderr so far."""
        out, err = (file.read_text() if file.exists() else "" for file in self._files)
        return out, err

    def wait_until_printed(self, pattern: str, timeout: float = 120) -> re.Match[str]:
        """Waits for words on stdout or stderr, which it must print before it ends."""
        deadline = time.monotonic() + timeout
        while not (found := re.search(pattern, "\n".join(self.printed()))):
            assert self.poll() is None, self.printed()
            assert time.monotonic() < deadline, self.printed()
            time.sleep(POLL_SECONDS)
        return found

    def communicate(self, timeout: float = 300) -> tuple[str, str]:
        """Waits for its end; returns what it wrote to stdout and to stderr."""
        self.wait(timeout)
        return self.printed()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@functools.cache
def _server(stage: str, early: str) -> _Server:
    return _Server(stage, json.loads(early))


class _Server:
    """The process from which the commands of one stage are forked."""

    def __init__(self, stage: str, early: dict[str, str]) -> None:
        others = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "OMP_"))}
        self._process = subprocess.Popen(
            [sys.executable, __file__, stage],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**others, **early, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
        )
        self._turn = threading.Lock()
        atexit.register(self._process.kill)

    def ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            return json.loads(self._process.stdout.readline())


def _serve(stage: str) -> None:
    """Answers requests on stdin: forks a process and gives its id, or gives the exit code of one that has ended."""
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # nothing that an import prints may be taken for an answer
    if stage == "training":
        from training.devices.tensorflow_import import import_tensorflow

        import_tensorflow()
    for path in (COMMANDS[stage], *sorted((ROOT / stage).glob("*/commands.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.col_offset > 0:  # of a single command
                importlib.import_module(str(node.module))
    for line in requests:
        request = json.loads(line)
        if "poll" in request:
            ended, status = os.waitpid(request["poll"], os.WNOHANG)
            print(json.dumps(os.waitstatus_to_exitcode(status) if ended else None), file=answers)
            continue
        pid = os.fork()
        if pid == 0:
            requests.close()
            answers.close()
            os._exit(_outcome_of(request))
        print(pid, file=answers)


def _outcome_of(request: dict[str, Any]) -> int:
    """Becomes the command, and returns the exit code that the interpreter would have ended with."""
    if request["session"]:
        os.setsid()
    for descriptor, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["stdout"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        (2, request["stderr"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        os.dup2(os.open(path, flags, 0o600), descriptor)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for folder in filter(None, request["env"].get("PYTHONPATH", "").split(os.pathsep)):
        sys.path.insert(0, folder)
        if Path(folder, "sitecustomize.py").exists():
            runpy.run_path(str(Path(folder, "sitecustomize.py")))
    code = 0
    try:
        _run(request["words"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as the interpreter does
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code & 0xFF


def _run(words: list[str]) -> None:
    first, *rest = words
    if first == "-m":
        sys.argv = rest
        sys.path.insert(0, os.getcwd())
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path.insert(0, "")
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(first).resolve().parent))
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    _serve(sys.argv[1])
