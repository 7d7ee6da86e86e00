"""Audio for benchmarks: long tracks of real music if there is some beside the checkout, or else of chords and noise."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

SAMPLE_RATE = 44_100  # Hz
REAL_MUSIC = Path(__file__).parents[2] / "shared" / "material" / "audio" / "real"
_LEAST_SECONDS = 20.0  # shorter real files are not used


def write_catalog(folder: Path, tracks: int, seconds: float, ending: str = "mp3", files: int | None = None) -> Path:
    """Write a catalog of stereo tracks of this length; returns its path. Files that exist in the folder are not encoded again.

    Args:
        folder: folder for the audio and the catalog.
        tracks: number of rows in the catalog.
        seconds: length of each track.
        ending: extension, which decides the encoding.
        files: number of different files, each under several ids; None for one file per track.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = _sources()
    rows = []
    for number in range(tracks):
        path = folder / f"{number % (files or tracks):05d}.{ending}"
        if not path.exists():
            _encode(path, _music(sources, number, seconds))
        rows.append((f"{number:05d}", path.name, seconds))
    return write_rows(folder / f"catalog-{tracks}.csv", rows)


def write_rows(catalog: Path, rows: Iterable[tuple[str, str, float]]) -> Path:
    """Write a catalog of these ids, uris and durations in seconds; returns its path."""
    with open(catalog, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("track_id", "uri", "duration"))
        writer.writerows(rows)
    return catalog


def described() -> str:
    """Source of the music, for the heading of a table."""
    return f"real music of {len(_sources())} files" if _sources() else "chords under noise"


def _sources() -> list[Path]:
    """Real stereo files with the most common sample rate."""
    found = []
    for path in sorted(REAL_MUSIC.rglob("*")):
        try:
            info = soundfile.info(str(path))
        except (soundfile.LibsndfileError, IsADirectoryError):
            continue
        if (info.samplerate, info.channels) == (SAMPLE_RATE, 2) and info.duration >= _LEAST_SECONDS:
            found.append(path)
    return found


def _music(sources: list[Path], number: int, seconds: float) -> npt.NDArray[np.float32]:
    """Float32 [samples, 2]."""
    wanted = round(seconds * SAMPLE_RATE)
    if sources:
        parts: list[npt.NDArray[np.float32]] = []
        while sum(map(len, parts)) < wanted:
            parts.append(soundfile.read(sources[(number + len(parts)) % len(sources)], dtype="float32")[0])
        return np.concatenate(parts)[:wanted]
    rng = np.random.default_rng(number)
    moments = np.arange(wanted) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * frequency * moments) for frequency in 110 * 2 ** rng.uniform(0, 5, 6)) / 12
    stereo = np.stack([chord, np.roll(chord, 300)], axis=1) + rng.normal(scale=0.03, size=(wanted, 2))
    return stereo.astype(np.float32)


def _encode(path: Path, samples: npt.NDArray[np.float32]) -> None:
    kind, subtype = {"mp3": ("MP3", "MPEG_LAYER_III")}.get(path.suffix[1:], (path.suffix[1:].upper(), "PCM_16"))
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, subtype, format=kind) as file:
        for start in range(0, len(samples), SAMPLE_RATE):
            file.write(samples[start : start + SAMPLE_RATE])
