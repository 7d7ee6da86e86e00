"""The interface of a decoder engine: an open audio file, read in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

BLOCK_FRAMES = 131_072  # frames decoded at a time into one reused block, so a long track takes no more memory
MOST_CHANNELS = 64
TRUNCATED_SECONDS = 0.5  # a track that lacks more than this against its header's claim counts as truncated


class AudioSource(Protocol):
    """An open audio file.

    Attributes:
        sample_rate: Sample rate in Hz.
        channels: Number of channels of the source.
        codec: Name of the codec, lower case.
        length: Number of frames that the engine expects, from a header or a guess; None if it is unknown.
        claimed_seconds: Length that the file's header claims for this audio; None if it claims none, or for a guess.
        corrupt: The decoder's message about data that it could not decode, set while reading; None if there was none.
        choice: Message that names which of several audio streams this is; None if there is only one.
    """

    sample_rate: int
    channels: int
    codec: str
    length: int | None
    claimed_seconds: float | None
    corrupt: str | None
    choice: str | None

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        """Blocks of float32 [frames, channels] in order, full scale at 1.0; a block is overwritten by the next."""
        ...

    def seek_exactly(self, frame: int) -> bool:
        """Make `blocks` begin at this frame, with the same samples as when reading from the start.

        Returns:
            False, with the position unchanged, if the format does not allow that or the length is wrong.
        """
        ...

    def has_unread_data(self) -> bool:
        """True if the file holds more audio after the last block."""
        ...

    def close(self) -> None: ...
