"""What a decoder engine gives: an open audio file, read in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

BLOCK_FRAMES = 65_536  # frames decoded at a time; one block is reused, so a long track costs no more than a short one


class AudioSource(Protocol):
    """An open audio file.

    Attributes:
        sample_rate: Hz.
        channels: of the source.
        codec: name, lower case.
        claimed_frames: length that the file's header claims, in frames; None if it claims none.
        damaged: set while reading, once the decoder met data that it could not decode.
    """

    sample_rate: int
    channels: int
    codec: str
    claimed_frames: int | None
    damaged: bool

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        """Blocks of float32 [frames, channels] in order, full scale at 1.0; a block is overwritten by the next."""
        ...

    def close(self) -> None: ...
