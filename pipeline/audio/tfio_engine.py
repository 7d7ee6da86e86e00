"""Decode wav, flac, ogg and mp3 with tensorflow-io, in a separate environment (`make venv-tfio`).

This is the only file of the decoding process that imports TensorFlow, and only if `--decoder tfio` asks for it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.causes import Cause, TrackRejected, decoder_words
from pipeline.audio.sources import BLOCK_FRAMES
from schemas.console.errors import UserError
from schemas.console.interpreter import install_advice

# Divisors by which integer samples are scaled to a full scale of 1.
_FULL_SCALE = {np.dtype(np.int16): 2.0**15, np.dtype(np.int32): 2.0**31, np.dtype(np.uint8): 2.0**7}


def check_tfio() -> None:
    """Raise UserError unless tensorflow-io is installed with a TensorFlow for which its native code was built."""
    try:
        tensorflow_io = _tensorflow_io()
        import tensorflow as tf

        # A successful import proves nothing: with a newer TensorFlow every native operation fails when it is called. So
        # decode an empty file, which a working installation refuses as invalid.
        tensorflow_io.audio.decode_wav(tf.constant(b""), dtype=tf.int16)
    except ImportError as error:
        raise UserError(f"--decoder tfio: {error.name or error} is not installed; {_advice()}") from error
    except NotImplementedError as error:
        raise UserError(
            f"--decoder tfio: tensorflow-io does not work beside TensorFlow {tf.__version__}; its last release was built for "
            f"2.16: {_advice()}"
        ) from error
    except tf.errors.OpError:
        return


def _advice() -> str:
    return f"{install_advice('tfio')}; or leave out --decoder tfio"


def _tensorflow_io() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about its optional libraries
        import tensorflow_io

    return tensorflow_io


class TfioSource:
    """An audio file opened with tensorflow-io's AudioIOTensor; see `AudioSource`.

    Args:
        file: The file; tensorflow-io reads only whole files.

    Raises:
        TrackRejected: tensorflow-io cannot read it.
    """

    def __init__(self, file: AudioFile) -> None:
        tensorflow_io = _tensorflow_io()
        import tensorflow as tf

        path = file.path
        if file.pieces is not None:
            file.pieces.require(0, file.size)

        _refuse_misread(path)
        self._op_error = tf.errors.OpError
        self._path = path
        try:
            self._tensor = tensorflow_io.audio.AudioIOTensor(path)
            frames, channels = (int(size) for size in self._tensor.shape.numpy())
            self.sample_rate = int(self._tensor.rate.numpy())
        except self._op_error as error:
            raise TrackRejected(Cause.UNSUPPORTED_FORMAT, _words(error, path)) from error
        self.channels = channels
        self.codec = f"tfio/{os.path.splitext(path)[1].lstrip('.').lower() or 'unknown'}"
        self.length: int | None = frames
        self.claimed_seconds: float | None = None
        self.corrupt: str | None = None
        self.choice: str | None = None

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        try:
            samples = self._tensor.to_tensor().numpy()
        except self._op_error as error:
            raise TrackRejected(Cause.DECODE_ERROR, _words(error, self._path)) from error
        offset = 128.0 if samples.dtype == np.uint8 else 0.0  # 8 bit WAV is unsigned
        scale = _FULL_SCALE.get(samples.dtype, 1.0)
        for start in range(0, len(samples), BLOCK_FRAMES):
            block = samples[start : start + BLOCK_FRAMES].astype(np.float32)
            yield (block - np.float32(offset)) / np.float32(scale) if scale != 1 else block

    def seek_exactly(self, frame: int) -> bool:
        return False  # it decodes whole files

    def has_unread_data(self) -> bool:
        return False

    def close(self) -> None:
        del self._tensor


def _refuse_misread(path: str) -> None:
    """Reject 32 bit integer WAV, whose bits tensorflow-io takes for floats: noise without an error."""
    try:
        subtype = soundfile.info(path).subtype
    except soundfile.LibsndfileError:
        return
    if subtype == "PCM_32":
        raise TrackRejected(Cause.UNSUPPORTED_FORMAT, "tensorflow-io does not read 32 bit integer WAV")


def _words(error: Any, path: str) -> str:
    """An operation's message without the leading node names of the graph."""
    return decoder_words(Exception(error.message.rpartition("}} ")[2]), path)
