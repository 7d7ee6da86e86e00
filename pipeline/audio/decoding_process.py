"""The child process that decodes: one JSON request a line on stdin, one JSON answer a line on stdout.

Started by `pipeline.audio.isolation` as `python -m pipeline.audio.decoding_process`. It imports numpy, scipy,
soundfile and soxr and no more, is ready in 0.3 s, and may crash, hang or run out of memory without harm to the Beam
worker. Samples go back through an unlinked temporary file whose descriptor both processes hold.

    request:  {"path": …}
    answers:  {"progress": true} (once when it is ready, then any number while it decodes)
              {"facts": {…}, "samples": N, "frames": N}   waveform bytes, then log-mel bytes, lie in the file
              {"cause": …, "message": …}
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import resource
import select
import sys
from typing import Any, BinaryIO

import numpy as np

from pipeline.audio.causes import Cause, TrackRejected, decoder_words
from pipeline.audio.logmel import stored_logmel
from pipeline.audio.waveform import read_waveform
from schemas.features import LogMelSpec, WaveformSpec, spec_from_dict

BLOCKS_PER_PROGRESS = 64  # about 95 s of 44.1 kHz audio


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", type=int, required=True, help="descriptor of the file that samples go to")
    parser.add_argument("--lifeline", type=int, required=True, help="pipe that closes when the parent is gone")
    parser.add_argument("--memory", type=int, required=True, help="address space in bytes")
    parser.add_argument("--decoder", required=True)
    parser.add_argument("--spec", required=True, help="JSON of the log-mel spec, its waveform spec included")
    options = parser.parse_args()
    spec = spec_from_dict(json.loads(options.spec))
    if not isinstance(spec, LogMelSpec):
        raise SystemExit("Expected a log-mel spec")
    # Decoders may print: keep the protocol's stream to ourselves and send their words where stderr goes.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    if options.memory:
        resource.setrlimit(resource.RLIMIT_AS, (options.memory, options.memory))
    _end_with_parent(options.lifeline)
    answer(answers, {"progress": True})  # ready: from here on the parent's patience is that of decoding
    for line in sys.stdin:
        answer(answers, _decode(json.loads(line)["path"], spec, options.decoder, options.results, answers))


def answer(answers: BinaryIO, fields: dict[str, Any]) -> None:
    answers.write(json.dumps(fields).encode() + b"\n")


def _end_with_parent(lifeline: int) -> None:
    """Let the kernel end this process when the pipe's other end closes, however the parent ended.

    SIGIO ends a process that does not handle it, also one that hangs in native code with the interpreter's lock held:
    a thread waiting for the pipe would never run then.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # the parent ended before the signal was asked for
        os._exit(1)


def _decode(path: str, spec: LogMelSpec, decoder: Any, results: int, answers: BinaryIO) -> dict[str, Any]:
    blocks = 0

    def on_progress() -> None:
        nonlocal blocks
        blocks += 1
        if blocks % BLOCKS_PER_PROGRESS == 0:
            answer(answers, {"progress": True})

    try:
        waveform_spec: WaveformSpec = spec.waveform
        waveform = read_waveform(path, waveform_spec, decoder, on_progress)
        logmel = stored_logmel(waveform.samples, spec)
    except TrackRejected as rejected:
        return {"cause": rejected.cause, "message": rejected.message}
    except MemoryError as error:
        return {"cause": Cause.DECODER_MEMORY, "message": decoder_words(error, path)}
    except Exception as error:  # a decoder's error that nobody foresaw costs one track, not the job
        return {"cause": Cause.DECODE_ERROR, "message": f"{type(error).__name__}: {decoder_words(error, path)}"}
    written = 0
    for array in (waveform.samples.astype("<i2", copy=False), logmel):
        written += _write_all(results, np.ascontiguousarray(array), written)
    return {"facts": waveform.facts(), "samples": len(waveform.samples), "frames": len(logmel)}


def _write_all(descriptor: int, array: np.ndarray[Any, Any], offset: int) -> int:
    view = memoryview(array.data).cast("B")
    done = 0
    while done < len(view):
        done += os.pwrite(descriptor, view[done:], offset + done)
    return done


if __name__ == "__main__":
    main()
