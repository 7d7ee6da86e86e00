"""Load one audio file as numpy arrays, with the samples and the frames that a build stores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.audio.fetch import local_audio
from pipeline.audio.int16_samples import stored_samples
from pipeline.audio.isolation import DecodingProcess
from pipeline.audio.logmel import stored_logmel
from schemas.features import LogMelSpec, WaveformSpec


def load_waveform(file: str, excerpt: str = WaveformSpec.excerpt, *, strict: bool = False) -> npt.NDArray[np.int16]:
    """Decode one audio file into the waveform that a build stores.

    The file is decoded in a decoding process like that of a build, started for this call (about 0.3 s) and ended after it,
    so that a file that crashes or floods a decoder does not end your session.

    >>> from pipeline.audio import load_waveform
    >>> load_waveform("song.mp3").shape
    (480000,)
    >>> load_waveform("song.mp3", "start:1.5").shape
    (24000,)

    Args:
        file: Path or URI, such as gs://bucket/song.mp3; any format, rate and number of channels.
        excerpt: Part to decode: center:30, start:30 (or another number of seconds) or full.
        strict: Reject a truncated or corrupt file; otherwise the part that can be decoded is returned.

    Returns:
        int16 [samples], mono at 16 kHz; divided by 32,768 it lies in [-1, 1).

    Raises:
        TrackRejected: the file cannot be read or decoded; its `cause` is the same as in a build's reject row.
        UserError: the excerpt is invalid.
    """
    spec = LogMelSpec(waveform=WaveformSpec(excerpt=excerpt))
    with DecodingProcess(spec, strict=strict) as decoding, local_audio(file, spec.waveform.excerpt) as audio:
        waveform: npt.NDArray[np.int16] = decoding.features(audio.path, audio.pieces).waveform.array()
    return waveform


def log_mel(
    waveform: npt.NDArray[np.int16] | npt.NDArray[np.floating], spec: LogMelSpec | None = None
) -> npt.NDArray[np.float16]:
    """Compute the log-mel spectrogram that a build stores for a waveform.

    >>> from pipeline.audio import load_waveform, log_mel
    >>> log_mel(load_waveform("song.mp3")).shape
    (1876, 96)

    Args:
        waveform: [samples], mono at 16 kHz: int16 as `load_waveform` returns it, or floats with full scale at 1.
        spec: Window, hop length and bands; None for a build's defaults.

    Returns:
        float16 [1 + samples // hop_length, mels], log10(1 + 10,000 * power).

    Raises:
        UserError: the waveform has another type or shape, or samples that are not finite.
    """
    return stored_logmel(stored_samples(waveform), spec or LogMelSpec())
