"""The child process that decodes: one JSON request per line on stdin, one JSON answer per line on stdout.

`pipeline.audio.isolation` starts it as `python -m pipeline.audio.decoding_process`. It imports only numpy, scipy,
soundfile and soxr, is ready in 0.3 s, and may crash, hang or run out of memory without harm to the Beam worker. Samples
are returned through an unlinked temporary file whose descriptor both processes hold.

    request:  {"path": …}, with "size" if the path is a sparse copy whose pieces are fetched on demand
    answers:  {"progress": true}        once when it is ready, then any number of times while it decodes
              {"fetch": [offset, length]}   requests a piece; the reply is a line: {}, or {"message": …} if it failed
              {"facts": {…}, "waveform": [offset, samples], "logmel": [offset, frames],   their positions in the file
               "seconds": {…}}   that its parts took
              {"cause": …, "message": …}   the last two with "cpu": seconds of CPU time that this process has used so far
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from typing import Any, BinaryIO

from pipeline.audio.audio_file import AudioFile, Pieces
from pipeline.audio.causes import Cause, TrackRejected, decoder_words
from pipeline.audio.lifeline import end_with_parent
from pipeline.audio.logmel import STORED_DTYPE, logmel_blocks
from pipeline.audio.sample_store import SAMPLE_BYTES, FileStore, write_at
from pipeline.audio.tracks import DecodingHooks, DecodingPolicy, read_track
from schemas.features import LogMelSpec, spec_from_dict

BLOCKS_PER_PROGRESS = 8  # about 24 s of 44.1 kHz audio
_PRINTED_BYTES = 1 << 16  # read of a decoder's output about a track (64 KiB)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", type=int, required=True, help="descriptor of the file that receives the samples")
    parser.add_argument("--lifeline", type=int, required=True, help="pipe that closes when the parent is gone")
    parser.add_argument("--memory", type=int, required=True, help="address space in bytes")
    parser.add_argument("--decoder", required=True)
    parser.add_argument("--strict", action="store_true", help="reject truncated and corrupt files")
    parser.add_argument("--max-seconds", type=float, required=True, help="reject longer sources")
    parser.add_argument("--max-samples", type=int, help="reject tracks with a longer stored waveform")
    parser.add_argument("--spec", required=True, help="JSON of the log-mel spec, including its waveform spec")
    options = parser.parse_args()
    spec = spec_from_dict(json.loads(options.spec))
    if not isinstance(spec, LogMelSpec):
        raise SystemExit("Expected a log-mel spec")
    # Decoders may print: keep the protocol's stream private and redirect their output to stderr.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    if options.memory:
        resource.setrlimit(resource.RLIMIT_AS, (options.memory, options.memory))
    end_with_parent(options.lifeline)
    answer(answers, {"progress": True})  # ready: from here on the parent's deadline is that of decoding
    policy = DecodingPolicy(options.decoder, options.strict, options.max_seconds, options.max_samples)
    printed = _Printed()
    while line := sys.stdin.readline():
        answered = _decode(json.loads(line), spec, policy, options.results, answers, printed)
        answer(answers, {**answered, "cpu": time.process_time()})


def answer(answers: BinaryIO, fields: dict[str, Any]) -> None:
    answers.write(json.dumps(fields).encode() + b"\n")


def _decode(
    request: dict[str, Any],
    spec: LogMelSpec,
    policy: DecodingPolicy,
    results: int,
    answers: BinaryIO,
    printed: _Printed,
) -> dict[str, Any]:
    path = request["path"]
    failures: list[TrackRejected] = []  # decoders treat a failed fetch as a damaged file, or swallow it
    blocks = 0

    def on_progress() -> None:
        nonlocal blocks
        blocks += 1
        if blocks % BLOCKS_PER_PROGRESS == 0:
            answer(answers, {"progress": True})

    def fetch(offset: int, length: int) -> None:
        if not failures:
            answer(answers, {"fetch": [offset, length]})
            reply = json.loads(sys.stdin.readline())
            if "message" in reply:
                failures.append(TrackRejected(Cause.IO_ERROR, reply["message"]))
        if failures:
            raise failures[0]

    os.ftruncate(results, 0)
    try:
        file = AudioFile(path, Pieces(request["size"], fetch) if "size" in request else None)
        answered = _features(file, spec, policy, results, DecodingHooks(on_progress, printed))
    except TrackRejected as rejected:
        answered = {"cause": rejected.cause, "message": rejected.message}
    except MemoryError as error:
        answered = {"cause": Cause.DECODER_MEMORY, "message": decoder_words(error, path)}
    except Exception as error:  # an unforeseen decoder error costs one track, not the job
        answered = {"cause": Cause.DECODE_ERROR, "message": f"{type(error).__name__}: {decoder_words(error, path)}"}
    return {"cause": failures[0].cause, "message": failures[0].message} if failures else answered


def _features(
    file: AudioFile, spec: LogMelSpec, policy: DecodingPolicy, results: int, hooks: DecodingHooks
) -> dict[str, Any]:
    store, started = FileStore(results), time.monotonic()
    track = read_track(file, spec.waveform, policy, store, hooks)
    decoded = time.monotonic()
    samples = track.end - track.first
    end = offset = store.length * SAMPLE_BYTES
    frames = 0
    for block in logmel_blocks(lambda first, end: store.read(track.first + first, track.first + end), samples, spec):
        end += write_at(results, block.astype(STORED_DTYPE), end)
        frames += len(block)
        hooks.on_progress()
    return {
        "facts": track.facts(),
        "seconds": {"decode": decoded - started, "logmel": time.monotonic() - decoded},
        "waveform": [track.first * SAMPLE_BYTES, samples],
        "logmel": [offset, frames],
    }


class _Printed:
    """Returns the decoder output since the last call; the parent made stderr a file."""

    def __init__(self) -> None:
        self._seen = 0

    def __call__(self) -> str:
        end = os.fstat(2).st_size
        words = os.pread(2, min(end - self._seen, _PRINTED_BYTES), self._seen)
        self._seen = end
        return words.decode(errors="replace")


if __name__ == "__main__":
    main()
