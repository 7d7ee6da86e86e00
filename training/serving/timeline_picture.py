"""Draw how the scores of a file change with time, under its log-mel spectrogram."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.console.terminal import visible
from schemas.filterbank import hz_to_mel, mel_to_hz

_INCHES = (10.0, 5.6)
_DOTS_PER_INCH = 110
_COLOURS = "magma"
TICKS_HZ = (0, 512, 1024, 2048, 4096, 8192, 16_384)  # those that librosa puts on a mel axis
_STEPS = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800)  # seconds between two ticks
_MOST_TICKS = 8
_MOST_LETTERS = 40  # of a tag
_MOST_LETTERS_OF_TITLE = 110


@dataclasses.dataclass(frozen=True)
class TimelinePicture:
    """What is drawn.

    Attributes:
        title: above the picture.
        seconds: length of the track.
        sample_rate: of the waveform in Hz; the bands lie between 0 Hz and half of it.
        logmel: float [columns, mels].
        logmel_edges: float64 [columns + 1], where the columns of the spectrogram begin and end, in seconds.
        tags: those that are drawn, highest mean score first.
        scores: float [steps, tags].
        score_edges: float64 [steps + 1], where the steps begin and end, in seconds.
    """

    title: str
    seconds: float
    sample_rate: int
    logmel: npt.NDArray[np.floating]
    logmel_edges: npt.NDArray[np.float64]
    tags: Sequence[str]
    scores: npt.NDArray[np.floating]
    score_edges: npt.NDArray[np.float64]


def draw_timeline(picture: TimelinePicture) -> bytes:
    """A PNG file: the spectrogram above, as librosa shows one where it is installed, and below it a line for each tag."""
    with _own_settings():
        # Not pyplot: a figure of its own needs no display and is not kept in memory.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter, MultipleLocator

        figure = Figure(_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(figure)
        above, below = figure.subplots(2, 1, sharex=True)
        _draw_logmel(above, picture)
        _draw_scores(below, picture)
        if picture.seconds >= 60:
            below.xaxis.set_major_locator(MultipleLocator(_step_of_clock(picture.seconds)))
        below.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _clock(seconds, picture.seconds)))
        title = visible(picture.title)
        if len(title) > _MOST_LETTERS_OF_TITLE:
            title = f"…{title[-_MOST_LETTERS_OF_TITLE:]}"
        figure.suptitle(title, fontsize=9, parse_math=False)
        sink = io.BytesIO()
        figure.savefig(sink, format="png", metadata={"Software": None})
    return sink.getvalue()


def _draw_logmel(axes: Any, picture: TimelinePicture) -> None:
    specshow = _specshow()
    if specshow is None:
        _show_image(axes, picture)
    else:
        specshow(
            picture.logmel.T,
            x_coords=picture.logmel_edges,
            y_coords=mel_to_hz(np.linspace(0.0, top_mel(picture), picture.logmel.shape[1] + 1)),
            y_axis="mel",
            sr=picture.sample_rate,
            fmax=picture.sample_rate / 2,
            cmap=_COLOURS,
            ax=axes,
        )
    axes.set(xlabel="", ylabel="Hz")


def _specshow() -> Callable[..., Any] | None:
    """librosa's way to show a spectrogram; None if it is not installed, or cannot be used here.

    It takes a second to import and brings a compiler, numba, so that only this picture asks for it. numba raises a
    RuntimeError where it finds no folder to write its cache to.
    """
    try:
        from librosa.display import specshow
    except (ImportError, RuntimeError):
        return None
    show: Callable[..., Any] = specshow
    return show


def _show_image(axes: Any, picture: TimelinePicture) -> None:
    # The bands are equally wide on the mel scale.
    ticks = np.array([tick for tick in TICKS_HZ if tick <= picture.sample_rate / 2], np.float64)
    extent = (0.0, float(picture.logmel_edges[-1]), 0.0, top_mel(picture))
    axes.imshow(picture.logmel.T, origin="lower", aspect="auto", interpolation="nearest", extent=extent, cmap=_COLOURS)
    axes.set_yticks(hz_to_mel(ticks), [f"{tick:.0f}" for tick in ticks])


def top_mel(picture: TimelinePicture) -> float:
    """The upper edge of the highest band, in mels."""
    return float(hz_to_mel(np.array([picture.sample_rate / 2]))[0])


def _draw_scores(axes: Any, picture: TimelinePicture) -> None:
    for number, tag in enumerate(picture.tags):
        axes.stairs(
            picture.scores[:, number],
            picture.score_edges,
            baseline=None,
            label=_label(tag),
            color=f"C{number}",
            linewidth=1.4,
        )
    axes.set(
        xlabel="seconds" if picture.seconds < 60 else "time",
        ylabel="score",
        xlim=(0.0, picture.seconds),
        ylim=(-0.02, 1.02),
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)


def _step_of_clock(longest: float) -> int:
    """Seconds between two ticks, so that they stand at whole minutes or simple parts of one."""
    return next((step for step in _STEPS if longest / step <= _MOST_TICKS), _STEPS[-1])


def _clock(seconds: float, longest: float) -> str:
    """Seconds on the axis of a track: 7.5, 2:30 or 1:02:30."""
    if longest < 60:
        return f"{seconds:g}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if longest >= 3600 else f"{minutes}:{rest:02}"


def _label(tag: str) -> str:
    # A dollar sign would start a formula, and a name that begins with an underscore is left out of a legend.
    shown = visible(tag if len(tag) <= _MOST_LETTERS else f"{tag[: _MOST_LETTERS - 1]}…").replace("$", r"\$")
    return f"\u200b{shown}" if shown.startswith("_") else shown


@contextlib.contextmanager
def _own_settings() -> Iterator[None]:
    """Use Matplotlib's defaults, regardless of the user's settings."""
    import matplotlib

    with matplotlib.rc_context(dict(matplotlib.rcParamsDefault)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # boxes replace those letters
        yield
