"""The samples of a file do not depend on the size of the blocks in which it is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from pipeline.audio.engines import open_libsndfile
from tests.pipeline.audio.fidelity.conftest import EncodedSounds, SetBlockFrames
from tests.pipeline.audio.fidelity.encodings import ENCODINGS, Encoding
from tests.pipeline.audio.fidelity.engine_reading import chosen_engine, decode_with

WHOLE = 1 << 22  # more frames than any file here has
SIZES = (1000, 1152, 4096, 65_521, 65_536, 131_072)  # a frame of mp3, a prime, powers of two


class _Unseekable(soundfile.SoundFile):
    """A file without seeking: soundfile's `read` seeks to its position after each block, which disturbs mp3 decoding."""

    def seekable(self) -> bool:
        return False


def at_once(path: Path) -> npt.NDArray[np.float32]:
    """All samples of a file, from one read by libsndfile."""
    with _Unseekable(str(path)) as file:
        samples: npt.NDArray[np.float32] = file.read(WHOLE, dtype="float32", always_2d=True)
    return samples


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
def test_blocks_of_any_size_are_the_file_read_at_once(
    encoding: Encoding, encoded: EncodedSounds, set_block_frames: SetBlockFrames
) -> None:
    path = encoded.path(encoding)
    engine = chosen_engine(path)
    set_block_frames(WHOLE)
    expected = decode_with(engine, path).samples
    if engine is open_libsndfile:
        given = at_once(path)
        assert len(given) == len(expected) or encoding.name == "mp3-vbr-no-xing"  # libsndfile guesses this file's end
        np.testing.assert_array_equal(expected[: len(given)], given)
    for frames in SIZES if engine is open_libsndfile and encoding.channels <= 2 else SIZES[::3]:
        set_block_frames(frames)
        np.testing.assert_array_equal(decode_with(engine, path).samples, expected, err_msg=f"blocks of {frames}")


@pytest.mark.parametrize("frames", SIZES)
def test_blocks_of_a_vbr_mp3_lose_nothing_of_its_bit_reservoir(
    frames: int, quiet_vbr: Path, set_block_frames: SetBlockFrames
) -> None:
    set_block_frames(frames)
    np.testing.assert_array_equal(decode_with(open_libsndfile, quiet_vbr).samples, at_once(quiet_vbr))
