"""The real decoding process, but a file whose name says so makes it crash, hang, or ask for too much.

Run by tests as `DecodingProcess(module="misbehaving_decoder")` with this folder on PYTHONPATH.
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

_read_waveform = decoding_process.read_waveform


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
    elif name.startswith("bug"):
        raise ZeroDivisionError(f"while reading {path}")
    elif name.startswith("chatty"):
        os.write(1, b"decoder: 100% fine\n")  # as native code prints, past sys.stdout


def _read(path: str, spec: Any, decoder: Any, on_progress: Callable[[], None]) -> Any:
    _misbehave(path, on_progress)
    return _read_waveform(path, spec, decoder, on_progress)


_decode = decoding_process._decode


def _decode_or_die(path: str, *rest: Any) -> Any:
    if os.path.basename(path).startswith("outside"):
        np.ones(50 << 30, np.uint8)  # where nothing catches it
    return _decode(path, *rest)


def _answer_in_pieces(answers: Any, fields: dict[str, Any]) -> None:
    line = json.dumps(fields).encode() + b"\n"
    answers.write(line[:5])
    time.sleep(0.01)  # a pipe may hand over any part of a line
    answers.write(line[5:])


if __name__ == "__main__":
    decoding_process.answer = _answer_in_pieces
    decoding_process.read_waveform = _read
    decoding_process._decode = _decode_or_die
    decoding_process.main()
