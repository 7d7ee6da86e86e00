"""Encoders write the same bytes every time, and files that every decoder accepts."""

import io
import time

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from pipeline.corpus.encoding import OGG_SERIAL, choose_encoding, encode, number_ogg

RATE = 44_100


@pytest.fixture(scope="module")
def sound() -> npt.NDArray[np.float32]:
    time_axis = np.arange(3 * RATE) / RATE
    left = 0.4 * np.sin(2 * np.pi * 440 * time_axis)
    return np.stack([left, left * 0.5], axis=1).astype(np.float32)


def ogg(sound: npt.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, RATE, format="OGG", subtype="VORBIS")
    return buffer.getvalue()


def test_every_format_gives_the_same_bytes_more_than_a_second_later(sound: npt.NDArray[np.float32]) -> None:
    first = [encode(sound, RATE, choose_encoding(0, track), serial=track) for track in range(8)]
    time.sleep(1.1)
    assert [encode(sound, RATE, choose_encoding(0, track), serial=track) for track in range(8)] == first


def test_every_format_sounds_like_what_was_encoded(sound: npt.NDArray[np.float32]) -> None:
    for track in range(8):
        data = encode(sound, RATE, choose_encoding(0, track), serial=track)
        decoded, rate = soundfile.read(io.BytesIO(data), always_2d=True)
        assert rate == RATE
        assert decoded.std(axis=0) == pytest.approx(sound.std(axis=0), rel=0.05)


def test_an_ogg_file_gets_the_serial_on_every_page_and_a_checksum_that_fits(sound: npt.NDArray[np.float32]) -> None:
    original = ogg(sound)
    own_serial = int.from_bytes(original[OGG_SERIAL], "little")
    numbered = number_ogg(original, 4_000_000_000)
    assert numbered.count(b"OggS" + bytes(1)) == original.count(b"OggS" + bytes(1)) > 2
    assert int.from_bytes(numbered[OGG_SERIAL], "little") == 4_000_000_000
    # The encoder computed these checksums itself, so setting the first serial again must restore the exact bytes.
    assert number_ogg(numbered, own_serial) == original
    assert len(soundfile.read(io.BytesIO(numbered))[0]) == len(sound)


def test_what_is_not_whole_ogg_pages_is_refused(sound: npt.NDArray[np.float32]) -> None:
    original = ogg(sound)
    with pytest.raises(ValueError, match="Expected an Ogg page"):
        number_ogg(b"RIFF" + original, 0)
    with pytest.raises(ValueError, match="too few"):
        number_ogg(original[:-1], 0)
