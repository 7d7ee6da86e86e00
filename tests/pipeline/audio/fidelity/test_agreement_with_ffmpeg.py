"""A file of any common format decodes to the output of the ffmpeg program, beginning with the same sample."""

from __future__ import annotations

import csv
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal
import soundfile

from pipeline.audio.tracks import read_waveform
from schemas.features import INT16_SCALE
from tests.pipeline.audio import ffmpeg_program
from tests.pipeline.audio.fidelity.conftest import EncodedSounds
from tests.pipeline.audio.fidelity.encodings import ENCODINGS, Departure, Encoding
from tests.pipeline.audio.fidelity.engine_reading import FULL, chosen_engine, decode_with
from tests.pipeline.audio.signals import bursts
from tests.pipeline.audio.stored_reference import STORED_RATE, stored

RESAMPLER_EDGE = 400  # number of samples at 16 kHz that the end of a signal affects through a resampler's filter

# The lag of the product's first sample, and the number of frames after FFmpeg's last one.
DEPARTURES_OF_REAL_FILES = {
    # The first page's granule position is less than its number of samples, which means that the stream starts before 0.
    "03_-_Robert_van_Herk_-_Architectural_Contemplations.ogg": (-16_064, 0),
    "test3.mp3": (-529, 0),  # a Xing header without an encoder's delay, as below
    # FFmpeg 9 cuts the padding of the last frame; PyAV's FFmpeg 8 keeps it.
    "elvish-theme_moov_at_end.m4a": (0, 982),
    "creative_common.mp4": (0, 3),
}

by_encoding = pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)


def shifted(reference: npt.NDArray[np.float32], departure: Departure) -> npt.NDArray[np.float32]:
    """The reference, shifted to begin at the product's first sample."""
    return np.pad(reference[max(0, -departure.lag) :], ((max(0, departure.lag), 0), (0, 0)))


@by_encoding
def test_the_engine_that_is_chosen_gives_what_ffmpeg_gives(encoding: Encoding, encoded: EncodedSounds) -> None:
    departure, path = encoding.departure, encoded.path(encoding)
    expected = shifted(encoded.references[encoding.name], departure)
    found = decode_with(chosen_engine(path), path)
    assert (found.rate, found.corrupt) == (encoding.rate, None)
    assert len(found.samples) == len(expected) + departure.at_end
    ordered = found.samples if departure.order is None else found.samples[:, departure.order]
    np.testing.assert_allclose(ordered[: len(expected)], expected, rtol=0, atol=departure.within)


@by_encoding
def test_the_stored_waveform_is_ffmpegs_decode_resampled(encoding: Encoding, encoded: EncodedSounds) -> None:
    departure = encoding.departure
    expected = stored(shifted(encoded.references[encoding.name], departure), encoding.rate)
    found = read_waveform(str(encoded.path(encoding)), FULL)
    assert found.track.flags == ()
    assert len(found.samples) == pytest.approx(len(expected) + departure.at_end * STORED_RATE / encoding.rate, abs=1)
    until = len(expected) - (RESAMPLER_EDGE if departure.at_end else 0)
    within = (
        0.5 + 2 * departure.within * INT16_SCALE
    )  # int16 steps: the rounding, and a difference after the resampler's filter
    np.testing.assert_allclose(found.samples[:until], expected[:until], rtol=0, atol=within)


def test_a_xing_header_without_an_encoders_delay_costs_the_decoders_own(
    encoded: EncodedSounds, tmp_path: Path, ffmpeg: str
) -> None:
    """libmpg123 cuts the 529 samples of any decoder's delay, FFmpeg cuts nothing: neither knows the encoder's delay."""
    vbr = next(encoding for encoding in ENCODINGS if encoding.name == "mp3-vbr-2")
    data = bytearray(encoded.path(vbr).read_bytes())
    encoder = data.find(b"Lavc", data.find(b"Xing"))
    data[encoder : encoder + 36] = bytes(36)
    (tmp_path / "a.mp3").write_bytes(data)
    found = decode_with(chosen_engine(tmp_path / "a.mp3"), tmp_path / "a.mp3")
    expected = ffmpeg_program.decode(ffmpeg, tmp_path / "a.mp3", 2)[529:]
    assert len(found.samples) == len(expected)
    np.testing.assert_allclose(found.samples, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000])
def test_opus_of_a_lower_rate_starts_with_the_same_sample(rate: int, tmp_path: Path, ffmpeg: str) -> None:
    """libsndfile decodes at the rate in the header, FFmpeg at 48 kHz; the stored samples have the same timing."""
    soundfile.write(tmp_path / "a.wav", bursts(3.0, rate, 1), rate)
    ffmpeg_program.encode(ffmpeg, [(tmp_path / "a.wav", ("-c:a", "libopus", "-b:a", "64k"), tmp_path / "a.opus")])
    found = read_waveform(str(tmp_path / "a.opus"), FULL).samples.astype(float)
    expected = stored(ffmpeg_program.decode(ffmpeg, tmp_path / "a.opus", 1, "-c:a", "libopus"), 48_000)
    assert len(found) == len(expected) == 3 * STORED_RATE
    likeness = scipy.signal.correlate(found, expected, method="fft")
    assert int(likeness.argmax()) == len(expected) - 1  # the lag is 0
    assert likeness.max() > 0.99 * np.sqrt(np.square(found).sum() * np.square(expected).sum())


def ogg_checksum(page: bytes) -> int:
    """CRC-32 of a page whose own checksum is zero; RFC 3533, section 6."""
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1) ^ (0x104C11DB7 if checksum & 0x80000000 else 0)
    return checksum


@pytest.mark.parametrize("decibels", [-6, -12])
def test_the_gain_in_an_opus_header_is_applied(
    decibels: int, encoded: EncodedSounds, tmp_path: Path, ffmpeg: str
) -> None:
    plain = next(encoding for encoding in ENCODINGS if encoding.name == "opus-128")
    data = bytearray(encoded.path(plain).read_bytes())
    end = data.find(b"OggS", 4)  # end of the first page, which is OpusHead
    struct.pack_into("<h", data, data.find(b"OpusHead") + 16, decibels * 256)
    data[22:26] = bytes(4)
    struct.pack_into("<I", data, 22, ogg_checksum(data[:end]))
    (tmp_path / "a.opus").write_bytes(data)
    expected = ffmpeg_program.decode(ffmpeg, tmp_path / "a.opus", 2, *plain.decoder)
    loudest = np.abs(encoded.references[plain.name]).max()
    assert np.abs(expected).max() == pytest.approx(loudest * 10 ** (decibels / 20), rel=1e-3)
    found = decode_with(chosen_engine(tmp_path / "a.opus"), tmp_path / "a.opus").samples
    np.testing.assert_allclose(found, expected, rtol=0, atol=plain.departure.within)


@pytest.mark.slow
def test_real_music_is_what_ffmpeg_gives(material: Path, ffmpeg: str) -> None:
    folder, checked = material / "audio" / "real", 0
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["decodable"] == "yes"]
    for row in rows:
        path, channels, rate = folder / row["path"], int(row["channels"]), int(row["sample_rate"])
        lag, at_end = DEPARTURES_OF_REAL_FILES.get(path.name, (0, 0))
        expected = stored(ffmpeg_program.decode(ffmpeg, path, channels)[max(0, -lag) :], rate)
        found = read_waveform(str(path), FULL).samples
        assert len(found) == pytest.approx(len(expected) + at_end * STORED_RATE / rate, abs=1), path.name
        until = len(expected) - RESAMPLER_EDGE
        np.testing.assert_allclose(found[:until], expected[:until], rtol=0, atol=1, err_msg=path.name)
        checked += 1
    assert checked == 49
