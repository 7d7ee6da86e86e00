"""Why a track is rejected: the typed causes of a reject row."""

from __future__ import annotations

import enum
import re


class Cause(enum.StrEnum):
    """Cause of a reject; a transient one may succeed another time."""

    NOT_FOUND = "not_found"  # no file at the uri
    NOT_A_FILE = "not_a_file"  # a folder, pipe, socket or device at the uri, which is not opened
    IO_ERROR = "io_error"  # the file is there and could not be read
    UNSUPPORTED_FORMAT = "unsupported_format"  # no decoder knows the file
    NO_AUDIO = "no_audio"  # a container without an audio stream
    DECODE_ERROR = "decode_error"  # a decoder gave up before the first sample
    EMPTY = "empty"  # decoded to no samples at all
    TOO_LONG = "too_long"  # longer than --max-seconds, or than a record can be
    TOO_MANY_CHANNELS = "too_many_channels"  # more than 64
    TRUNCATED = "truncated"  # shorter than its header claims; kept and flagged without --strict
    CORRUPT = "corrupt"  # has parts that no decoder could decode; kept and flagged without --strict
    DECODER_CRASH = "decoder_crash"  # the decoder's process died
    DECODER_TIMEOUT = "decoder_timeout"  # the decoder made no progress
    DECODER_MEMORY = "decoder_memory"  # the decoder asked for too much memory
    REMOVED = "removed"  # taken out of the dataset before it was decoded

    @property
    def transient(self) -> bool:
        return self in (Cause.NOT_FOUND, Cause.IO_ERROR, Cause.DECODER_TIMEOUT)


class TrackRejected(Exception):  # noqa: N818 (not an error of the program)
    """One track cannot become a record.

    Attributes:
        cause: the typed cause.
        message: the decoder's words, in one line, without paths and addresses.
    """

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(f"{cause}: {message}")
        self.cause = cause
        self.message = message


_OF_THE_PLACE = (Cause.NOT_FOUND, Cause.NOT_A_FILE, Cause.IO_ERROR)


def reject_message(rejected: TrackRejected, uri: str) -> str:
    """What is said of a reject: behind the words about a file that cannot be had also where it was looked for.

    Args:
        rejected: the reject.
        uri: as the catalog has it, where the same is to be said wherever the catalog lies; or the whole path.
    """
    return f"{rejected.message}: {uri}" if rejected.cause in _OF_THE_PLACE else rejected.message


def decoder_words(error: BaseException, path: str) -> str:
    """A decoder's own words in one line, the same wherever the file lies: without its path and without addresses."""
    text = str(error) or type(error).__name__
    for spelled in (repr(path), f"'{path}'", path):
        text = text.replace(spelled, "the file")
    text = re.sub(r"0x[0-9a-fA-F]+", "0x…", text)
    return " ".join(text.split())
