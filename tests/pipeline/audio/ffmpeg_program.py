"""The ffmpeg program as an encoder and as the reference decoder, many files to a call."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt


def run(ffmpeg: str, *arguments: object) -> None:
    """Run the program quietly; raises an error with the program's own words if it fails."""
    command = [ffmpeg, "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise RuntimeError(f"ffmpeg ended with {done.returncode}: {done.stderr.strip()[-500:]}")


def encode(ffmpeg: str, outputs: Iterable[tuple[Path, Sequence[str], Path]]) -> None:
    """Encode files, each given as (source, options of its output, output)."""
    outputs = list(outputs)
    sources = sorted({source for source, _, _ in outputs})
    inputs = [word for source in sources for word in ("-i", str(source))]
    wanted: list[object] = []
    for source, options, output in outputs:
        wanted += ["-map", f"{sources.index(source)}:a", *options, output]
    run(ffmpeg, *inputs, *wanted)


def decode_all(ffmpeg: str, files: Iterable[tuple[Path, Sequence[str]]]) -> dict[Path, npt.NDArray[np.float32]]:
    """The first audio stream of each file, float32 [frames × channels] interleaved, at its own rate and channel count.

    Args:
        ffmpeg: path of the program.
        files: each file with the options of its input, such as the choice of a decoder.
    """
    files = list(files)
    inputs = [word for file, options in files for word in (*options, "-i", str(file))]
    with tempfile.TemporaryDirectory() as folder:
        raw = [Path(folder) / f"{number}.f32" for number in range(len(files))]
        wanted: list[object] = []
        for number, output in enumerate(raw):
            wanted += ["-map", f"{number}:a:0", "-f", "f32le", output]
        run(ffmpeg, *inputs, *wanted)
        return {file: np.fromfile(output, "<f4") for (file, _), output in zip(files, raw, strict=True)}


def decode(ffmpeg: str, file: Path, channels: int, *options: str) -> npt.NDArray[np.float32]:
    """The first audio stream of a file, float32 [frames, channels], at its own rate.

    Args:
        ffmpeg: path of the program.
        file: the file to decode.
        channels: its number of channels.
        options: options of the input, such as the choice of a decoder.
    """
    return decode_all(ffmpeg, [(file, options)])[file].reshape(-1, channels)
