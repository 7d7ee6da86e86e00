"""The picture of a timeline is a PNG file, with and without librosa, whatever is in its words."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from training.serving.timeline_picture import TimelinePicture, draw_timeline

ROOT = Path(__file__).parents[3]


def picture_of(seconds: float, tags: tuple[str, ...] = ("low", "noise"), title: str = "song.mp3") -> TimelinePicture:
    rng = np.random.default_rng(0)
    columns = max(1, min(1000, round(seconds * 62.5)))
    steps = max(1, round(seconds))
    return TimelinePicture(
        title,
        seconds,
        16_000,
        rng.random((columns, 96)),
        np.linspace(0.0, seconds, columns + 1),
        tags,
        rng.random((steps, len(tags))),
        np.linspace(0.0, seconds, steps + 1),
    )


def colours_of(data: bytes) -> tuple[int, int]:
    """Numbers of colours in the halves of a picture, the upper one first."""
    pixels = (imread(io.BytesIO(data), format="png")[..., :3] * 255).astype(np.uint8)
    upper, lower = np.array_split(pixels, 2)
    return len(np.unique(upper.reshape(-1, 3), axis=0)), len(np.unique(lower.reshape(-1, 3), axis=0))


@pytest.mark.parametrize("seconds", [0.01, 7.7, 200.0])
def test_the_spectrogram_and_the_scores_are_drawn(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = draw_timeline(picture_of(seconds))
    assert min(colours_of(drawn)) > 10
    assert drawn == draw_timeline(picture_of(seconds))
    monkeypatch.setitem(sys.modules, "librosa", None)
    monkeypatch.setitem(sys.modules, "librosa.display", None)
    assert min(colours_of(draw_timeline(picture_of(seconds)))) > 10


def test_words_from_outside_are_drawn_as_they_are() -> None:
    words = ("_$x^{$", "$", "日本", "\x1b[31m", "b" * 300, "\udcff")
    drawn = draw_timeline(picture_of(3.0, words, f"{'long/' * 60}$\x1b\udcff.mp3"))
    assert imread(io.BytesIO(drawn), format="png").shape == imread(io.BytesIO(draw_timeline(picture_of(3.0)))).shape


def test_librosa_is_not_imported_before_a_picture_is_drawn() -> None:
    program = "import sys, training.serving.timeline; print(sorted({'librosa', 'numba'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
