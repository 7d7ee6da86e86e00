"""The real decoding process, but a file whose name says so makes it crash, hang, or allocate too much memory.

Tests run it as `DecodingProcess(module="misbehaving_decoder")` with this folder on PYTHONPATH.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.audio import decoding_process

_read_track = decoding_process.read_track


def _misbehave(path: str, on_progress: Callable[[], None]) -> None:
    name = os.path.basename(path)
    if name.startswith("crash"):
        ctypes.string_at(0)
    elif name.startswith("exit"):
        print("libmusic: internal error", file=sys.stderr)
        os._exit(3)
    elif name.startswith("hang"):
        ctypes.PyDLL(None).sleep(3600)  # in native code, with the interpreter's lock held
    elif name.startswith("slow"):
        for _ in range(4):
            time.sleep(0.5)
            for _ in range(decoding_process.BLOCKS_PER_PROGRESS):
                on_progress()
    elif name.startswith("memory"):
        np.ones(50 << 30, np.uint8)
    elif name.startswith("unchecked"):
        allocate = ctypes.CDLL(None).malloc
        allocate.restype = ctypes.c_void_p
        while True:  # until malloc returns NULL, which C code seldom checks
            ctypes.memset(allocate(ctypes.c_size_t(1 << 28)), 1, 1 << 28)
            for _ in range(decoding_process.BLOCKS_PER_PROGRESS):
                on_progress()
    elif name.startswith("once"):
        if not os.path.exists(path + ".tried"):
            open(path + ".tried", "w").close()
            ctypes.PyDLL(None).sleep(3600)
    elif name.startswith("bug"):
        raise ZeroDivisionError(f"while reading {path}")
    elif name.startswith("chatty"):
        os.write(1, b"decoder: 100% fine\n")  # bypasses sys.stdout, as native code does when it prints


def _read(file: Any, spec: Any, policy: Any, store: Any, hooks: Any) -> Any:
    _misbehave(file.path, hooks.on_progress)
    return _read_track(file, spec, policy, store, hooks)


_decode = decoding_process._decode


def _decode_or_die(request: dict[str, Any], *rest: Any) -> Any:
    if os.path.basename(request["path"]).startswith("outside"):
        np.ones(50 << 30, np.uint8)  # here nothing catches the MemoryError
    return _decode(request, *rest)


def _answer_in_pieces(answers: Any, fields: dict[str, Any]) -> None:
    line = json.dumps(fields).encode() + b"\n"
    answers.write(line[:5])
    time.sleep(0.01)  # a pipe may hand over any part of a line
    answers.write(line[5:])


if __name__ == "__main__":
    decoding_process.answer = _answer_in_pieces
    decoding_process.read_track = _read
    decoding_process._decode = _decode_or_die
    decoding_process.main()
