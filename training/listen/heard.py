"""What a model hears in a song: its waveform as it is decoded, the log-mel, the tags over time, and the scores."""

from __future__ import annotations

import base64
import dataclasses
import io
import os
import tempfile
import wave
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pipeline.audio.isolation import DecodedArray, DecodingProcess
from schemas.features import logmel_over, with_excerpt
from schemas.filterbank import hz_to_mel
from training.serving.saved_model import SavedModel
from training.serving.tag import SeePatches, feature_blocks, ranked_scores, whole_file_spec
from training.serving.timeline import MOST_LINES, patch_means, picture_of
from training.serving.timeline_picture import TICKS_HZ, top_mel

MOST_SECONDS = 3 * 3600.0  # longer songs are refused


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """The embedding of a song as tags hold those of their tracks: of the excerpt that they are of, in float16.

    Attributes:
        embedding: float16 [width].
        scores: float16 [tags].
    """

    embedding: npt.NDArray[np.float16]
    scores: npt.NDArray[np.float16]


@dataclasses.dataclass(frozen=True)
class HeardSong:
    """A song that was tagged. Its files have no names on the disk, and are gone with the last use of it.

    Attributes:
        heard: what the model hears, a mono WAV file.
        facts: what the page shows, as JSON holds it.
        place: where the song lies among those of the tags that are searched; None if none are.
    """

    heard: IO[bytes]
    facts: dict[str, Any]
    place: Place | None = None


class Listener:
    """Decodes and scores one song at a time; memory stays flat, whatever its length.

    Args:
        model: the model.
        excerpt: part of each track that the tags are of in which similar tracks are searched; None if none are.
    """

    def __init__(self, model: SavedModel, excerpt: str | None = None) -> None:
        self.model = model
        self._decoding = DecodingProcess(whole_file_spec(model.spec), max_seconds=MOST_SECONDS)
        self._excerpt = excerpt
        self._cutting = None
        if excerpt not in (None, "full"):
            cut = with_excerpt(logmel_over(model.spec), str(excerpt))
            self._cutting = DecodingProcess(cut, max_seconds=MOST_SECONDS)

    def hear(self, name: str, upload: IO[bytes]) -> HeardSong:
        """Decode an uploaded file in the decoding process, and score it.

        Raises:
            TrackRejected: no decoder can read it, or it is longer than `MOST_SECONDS`.
        """
        decoded = self._decoding.features(open_path(upload))
        waveform, samples = decoded.waveform, decoded.waveform.shape[0]
        means = patch_means(self.model, samples)
        place = None
        if self._excerpt == "full":
            outputs = self._outputs(waveform, means.add)
            scores, place = outputs[0].tolist(), _place(*outputs)
        else:
            scores = self.model.scores(feature_blocks(waveform.part, samples, self.model.spec), means.add).tolist()
            if self._cutting is not None:
                place = _place(*self._outputs(self._cutting.features(open_path(upload)).waveform))
        picture = picture_of(self.model, name, waveform.part, samples, means, MOST_LINES)
        lines = dict(zip(picture.tags, picture.scores.T.round(4).tolist(), strict=True))
        ranked = ranked_scores(self.model.tags, scores)
        shown_hz = np.array([hz for hz in TICKS_HZ if 0 < hz < picture.sample_rate / 2])
        heights = hz_to_mel(shown_hz.astype(np.float64)) / top_mel(picture)
        facts = {
            "name": name,
            "seconds": picture.seconds,
            "source": {field: decoded.facts[field] for field in ("codec", "sample_rate", "channels", "flags")},
            "sample_rate": picture.sample_rate,
            "logmel": _image(picture.logmel),
            "bands": [
                {"hz": hz, "height": height} for hz, height in zip(shown_hz.tolist(), heights.tolist(), strict=True)
            ],
            "edges": picture.score_edges.tolist(),
            "lines": [{"tag": tag, "scores": lines[tag]} for tag in ranked if tag in lines],
            "scores": [{"tag": tag, "score": score} for tag, score in ranked.items()],
        }
        return HeardSong(_wav(waveform, picture.sample_rate), facts, place)

    def _outputs(
        self, waveform: DecodedArray, see: SeePatches | None = None
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        blocks = feature_blocks(waveform.part, waveform.shape[0], self.model.spec)
        return self.model.scores_and_embedding(blocks, see)


def _place(scores: npt.NDArray[np.float64], embedding: npt.NDArray[np.float64]) -> Place:
    return Place(embedding.astype(np.float16), scores.astype(np.float16))


def open_path(file: IO[bytes]) -> str:
    """A path at which this user's other processes can open a file that has no name."""
    return f"/proc/{os.getpid()}/fd/{file.fileno()}"


def _wav(waveform: DecodedArray, rate: int) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 (open for as long as the song is kept)
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(waveform.dtype.itemsize)
        sound.setframerate(rate)
        sound.setnframes(waveform.shape[0])
        for block in waveform.blocks():
            sound.writeframesraw(block)
    file.flush()
    return file


def _image(logmel: npt.NDArray[np.floating]) -> str:
    """A spectrogram, [columns, mels], as the address of a PNG image that holds its bytes."""
    from matplotlib.image import imsave

    sink = io.BytesIO()
    imsave(sink, logmel.T, cmap="magma", origin="lower", format="png")
    return f"data:image/png;base64,{base64.b64encode(sink.getvalue()).decode()}"
