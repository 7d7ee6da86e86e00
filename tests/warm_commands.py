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
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

COMMANDS = {"pipeline": ROOT / "pipeline" / "run.py", "training": ROOT / "training" / "run.py"}


def run_warm(
    words: Sequence[object],
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 300,
    check: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Runs `python WORDS…`, where the words begin with `-m MODULE`, `-c PROGRAM` or the path of a script.

    Raises:
        AssertionError: The exit code was not 0, and `check` was given.
        subprocess.TimeoutExpired: The command took longer; it was killed.
    """
    arguments = [str(word) for word in words]
    stage = "training" if any(name in "\n".join(arguments[:2]) for name in ("training", "tensorflow")) else "pipeline"
    with tempfile.TemporaryDirectory() as folder:
        printed, words_of_stderr = Path(folder, "stdout"), Path(folder, "stderr")
        request = {
            "words": arguments,
            "cwd": str(cwd or ROOT),
            "env": dict(os.environ if env is None else env),
            "stdout": str(printed),
            "stderr": str(words_of_stderr),
        }
        code = _server(stage).run(request, timeout)
        ended = subprocess.CompletedProcess(arguments, code, printed.read_text(), words_of_stderr.read_text())
    assert not check or code == 0, f"{arguments}: {code}\n{ended.stdout[-1500:]}\n{ended.stderr[-3000:]}"
    return ended


@functools.cache
def _server(stage: str) -> _Server:
    return _Server(stage)


class _Server:
    """The process from which the commands of one stage are forked."""

    def __init__(self, stage: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, __file__, stage],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        atexit.register(self._process.kill)

    def run(self, request: dict[str, Any], timeout: float) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        pid = int(self._process.stdout.readline())
        timer = threading.Timer(timeout, os.kill, (pid, signal.SIGKILL))
        timer.start()
        code = int(self._process.stdout.readline())
        expired = timer.finished.is_set()
        timer.cancel()
        if expired:
            raise subprocess.TimeoutExpired(request["words"], timeout)
        return code


def _serve(stage: str) -> None:
    """Forks a process for each request on stdin; answers with its process id, then its exit code."""
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # nothing that an import prints may be taken for an answer
    if stage == "training":
        from training.devices.tensorflow_import import import_tensorflow

        import_tensorflow()
    for node in ast.walk(ast.parse(COMMANDS[stage].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.col_offset > 0:  # of a single command
            importlib.import_module(str(node.module))
    for line in requests:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            requests.close()
            answers.close()
            os._exit(_outcome_of(request))
        print(pid, file=answers)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), file=answers)


def _outcome_of(request: dict[str, Any]) -> int:
    """Becomes the command, and returns the exit code that the interpreter would have ended with."""
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
