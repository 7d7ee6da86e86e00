"""What a decoder engine gives: an open audio file, read in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

BLOCK_FRAMES = 131_072  # frames decoded at a time; one block is reused, so a long track costs no more than a short one
MOST_CHANNELS = 64
TRUNCATED_SECONDS = 0.5  # missing against a header's claim that makes a track count as truncated


class AudioSource(Protocol):
    """An open audio file.

    Attributes:
        sample_rate: Hz.
        channels: of the source.
        codec: name, lower case.
        length: frames that the engine expects to give, by a header or a guess; None where it has no idea.
        claimed_seconds: length that the file's header claims of this audio; None if it claims none, or for a guess.
        corrupt: the decoder's words on data that it could not decode, set while reading; None if there was none.
        choice: which of several audio streams this is, in words; None where there is one.
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
        """Let `blocks` begin at this frame with the samples that reading from the start would give there.

        Returns:
            False, and nothing has moved, where the format does not allow that or the length is not the true one.
        """
        ...

    def has_unread_data(self) -> bool:
        """True if there is more audio in the file behind what `blocks` gave."""
        ...

    def close(self) -> None: ...
