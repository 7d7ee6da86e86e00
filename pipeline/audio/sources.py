"""What a decoder engine gives: an open audio file, read in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

BLOCK_FRAMES = 131_072  # frames decoded at a time; one block is reused, so a long track costs no more than a short one


class AudioSource(Protocol):
    """An open audio file.

    Attributes:
        sample_rate: Hz.
        channels: of the source.
        codec: name, lower case.
        claimed_frames: length that the file's header claims, in frames; None if it claims none.
        corrupt: the decoder's words on data that it could not decode, set while reading; None if there was none.
    """

    sample_rate: int
    channels: int
    codec: str
    claimed_frames: int | None
    corrupt: str | None

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        """Blocks of float32 [frames, channels] in order, full scale at 1.0; a block is overwritten by the next."""
        ...

    def seek_exactly(self, frame: int) -> bool:
        """Let `blocks` begin at this frame with the samples that reading from the start would give there.

        Returns:
            False, and nothing has moved, where the format does not allow that or the claimed length is not the true one.
        """
        ...

    def has_unread_data(self) -> bool:
        """True if the file goes on where `blocks` ended, as one does whose header claims too little."""
        ...

    def close(self) -> None: ...
