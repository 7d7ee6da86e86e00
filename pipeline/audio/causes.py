"""The typed causes of a reject row: why a track was rejected."""

from __future__ import annotations

import enum
import re


class Cause(enum.StrEnum):
    """Cause of a reject; a track with a transient cause may succeed on a retry."""

    NOT_FOUND = "not_found"  # no file at the uri
    NOT_A_FILE = "not_a_file"  # a folder, pipe, socket or device at the uri, which is not opened
    IO_ERROR = "io_error"  # the file exists but could not be read
    UNSUPPORTED_FORMAT = "unsupported_format"  # no decoder can read the file
    NO_AUDIO = "no_audio"  # a container without an audio stream
    DECODE_ERROR = "decode_error"  # a decoder gave up before the first sample
    EMPTY = "empty"  # decoded to no samples at all
    TOO_LONG = "too_long"  # longer than --max-seconds, or than fits a record
    TOO_MANY_CHANNELS = "too_many_channels"  # more than 64
    TRUNCATED = "truncated"  # shorter than its header claims; kept and flagged without --strict
    CORRUPT = "corrupt"  # no decoder could decode some parts; kept and flagged without --strict
    DECODER_CRASH = "decoder_crash"  # the decoder's process died
    DECODER_TIMEOUT = "decoder_timeout"  # the decoder made no progress
    DECODER_MEMORY = "decoder_memory"  # the decoder asked for too much memory
    INFERENCE_CRASH = "inference_crash"  # the model's process died
    INFERENCE_TIMEOUT = "inference_timeout"  # the model gave no scores in time
    INFERENCE_MEMORY = "inference_memory"  # the model asked for too much memory
    NOT_FINITE = "not_finite"  # the model's scores are not numbers
    REMOVED = "removed"  # removed from the dataset before it was decoded

    @property
    def transient(self) -> bool:
        return self in (Cause.NOT_FOUND, Cause.IO_ERROR, Cause.DECODER_TIMEOUT, Cause.INFERENCE_TIMEOUT)


class TrackRejected(Exception):  # noqa: N818 (not an error of the program)
    """One track cannot become a record.

    Attributes:
        cause: The typed cause.
        message: The decoder's message as one line, without paths and addresses.
    """

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(f"{cause}: {message}")
        self.cause = cause
        self.message = message


_OF_THE_PLACE = (Cause.NOT_FOUND, Cause.NOT_A_FILE, Cause.IO_ERROR)


def reject_message(rejected: TrackRejected, uri: str) -> str:
    """The message of a reject, followed by the location if the file could not be read.

    Args:
        rejected: The reject.
        uri: Location as the catalog gives it, for a message that does not depend on the catalog's folder; or the full path.
    """
    return f"{rejected.message}: {uri}" if rejected.cause in _OF_THE_PLACE else rejected.message


def decoder_words(error: BaseException, path: str) -> str:
    """A decoder's message as one line, independent of the file's location: without its path and addresses."""
    text = str(error) or type(error).__name__
    for spelled in (repr(path), f"'{path}'", path):
        text = text.replace(spelled, "the file")
    text = re.sub(r"0x[0-9a-fA-F]+", "0x…", text)
    return " ".join(text.split())
