"""A file without sound, or with other data than its header says, becomes a record of the real sound or a reject, not noise."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.causes import Cause
from tests.pipeline.audio import ffmpeg_program
from tests.pipeline.audio.odd_files.conftest import NO_DECODER, PYTHON_EXCEPTION, Decode, WriteSound
from tests.pipeline.audio.odd_files.tags import apev2, id3v2
from tests.pipeline.audio.signals import bursts
from tests.pipeline.audio.stored_reference import STORED_RATE, stored

NO_SOUND = (Cause.UNSUPPORTED_FORMAT, Cause.NO_AUDIO, Cause.EMPTY, Cause.DECODE_ERROR)


def wav(data: bytes, *after: tuple[bytes, bytes], claimed: int | None = None, rate: int = STORED_RATE) -> bytes:
    """A WAV file of 16-bit mono samples with further chunks after them.

    Args:
        data: content of the data chunk.
        after: name and content of each further chunk.
        claimed: size in the header of the data chunk; None for the true size.
        rate: sample rate in Hz.
    """
    size = len(data) if claimed is None else claimed
    body = b"WAVE" + struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    body += struct.pack("<4sI", b"data", size) + data
    for name, content in after:
        body += struct.pack("<4sI", name, len(content)) + content
    return struct.pack("<4sI", b"RIFF", len(body)) + body


@pytest.mark.parametrize("after", [(), (b"LIST", 4000), (b"id3 ", 400_000), (b"junk", 40_000)])
def test_a_wav_without_samples_is_empty_whatever_follows(
    after: tuple[bytes, int] | tuple[()], tmp_path: Path, decode: Decode
) -> None:
    chunks = [(after[0], np.random.default_rng(0).bytes(after[1]))] if after else []
    (tmp_path / "a.wav").write_bytes(wav(b"", *chunks))
    found = decode(tmp_path / "a.wav")
    assert found.samples is None
    assert found.cause is Cause.EMPTY


@pytest.mark.parametrize("claimed", [0, 0xFFFFFFFF])
def test_a_streamed_wav_that_names_no_length_is_kept(claimed: int, tmp_path: Path, decode: Decode) -> None:
    samples = np.round(bursts(2.0, STORED_RATE, 1)[:, 0] * 32_000).astype("<i2")
    (tmp_path / "a.wav").write_bytes(wav(samples.tobytes(), claimed=claimed))
    found = decode(tmp_path / "a.wav")
    np.testing.assert_array_equal(found.waveform, samples)
    assert found.flags == ()


@pytest.mark.parametrize("size", [4_000, 400_000])
def test_chunks_after_the_samples_of_a_wav_are_not_heard(size: int, tmp_path: Path, decode: Decode) -> None:
    samples = np.round(bursts(2.0, STORED_RATE, 1)[:, 0] * 32_000).astype("<i2")
    (tmp_path / "a.wav").write_bytes(wav(samples.tobytes(), (b"id3 ", np.random.default_rng(0).bytes(size))))
    found = decode(tmp_path / "a.wav")
    np.testing.assert_array_equal(found.waveform, samples)
    assert found.flags == ()


@pytest.mark.parametrize(
    ("codec", "muxer", "rate"),
    [
        ("ac3 -b:a 384k", "spdif", 48_000),
        ("dca -strict -2 -b:a 1411200", "dts", 44_100),
        ("ac3 -b:a 384k", "ac3", 48_000),
    ],
)
def test_a_coded_stream_in_a_pcm_wav_is_decoded_or_rejected(
    codec: str, muxer: str, rate: int, write_sound: WriteSound, tmp_path: Path, decode: Decode, ffmpeg: str
) -> None:
    raw = write_sound("a.raw", f"-c:a {codec} -f {muxer}", rate=rate, seconds=4.0)
    pcm = ("-f", "s16le", "-ar", rate, "-ac", 2)
    ffmpeg_program.run(ffmpeg, *pcm, "-i", raw, "-c:a", "pcm_s16le", tmp_path / "a.wav")
    found = decode(tmp_path / "a.wav")
    if found.samples is None:
        assert found.cause in NO_DECODER
        return
    expected = stored(ffmpeg_program.decode(ffmpeg, tmp_path / "a.wav", 2), rate)
    assert np.abs(expected).max() < 30_000, "the reference itself is noise"
    np.testing.assert_allclose(found.waveform[:-400], expected[: len(found.waveform) - 400], rtol=0, atol=1)


@pytest.mark.parametrize(("codec", "hidden_id"), [("flac", b"A_FLAC"), ("libvorbis", b"A_VORBIS"), ("ac3", b"A_AC3")])
@pytest.mark.parametrize("streams", [1, 2])
def test_a_stream_without_a_decoder_is_passed_over_or_rejected(
    codec: str, hidden_id: bytes, streams: int, write_sound: WriteSound, tmp_path: Path, decode: Decode, ffmpeg: str
) -> None:
    sound = write_sound("sound.wav", "-c:a pcm_s16le", rate=STORED_RATE)
    second = ("-map", "0:a", "-c:a:1", "pcm_s16le") if streams == 2 else ()
    path = tmp_path / "a.mka"
    ffmpeg_program.run(ffmpeg, "-i", sound, "-map", "0:a", "-c:a:0", codec, *second, path)
    path.write_bytes(path.read_bytes().replace(hidden_id, b"A_" + b"X" * (len(hidden_id) - 2)))
    found = decode(path)
    if found.samples is None:
        assert found.cause in NO_DECODER
        assert not PYTHON_EXCEPTION.search(str(found.message))
    else:
        assert streams == 2
        np.testing.assert_array_equal(found.waveform, decode(sound).waveform)


@pytest.mark.parametrize("kind", ["id3v2", "apev2", "both", "id3v1", "id3v2 and zeros"])
@pytest.mark.parametrize("ending", ["mp3", "flac"])
def test_a_file_that_is_only_a_tag_is_rejected(kind: str, ending: str, tmp_path: Path, decode: Decode) -> None:
    id3v1 = b"TAG" + b"name".ljust(125, b"\0")
    contents = {"id3v2": id3v2(200_000), "apev2": apev2(200_000), "both": id3v2(50_000) + apev2(50_000), "id3v1": id3v1}
    contents["id3v2 and zeros"] = id3v2(50_000) + bytes(50_000)
    (tmp_path / f"a.{ending}").write_bytes(contents[kind])
    found = decode(tmp_path / f"a.{ending}")
    assert found.samples is None
    assert found.cause in NO_SOUND
    assert not PYTHON_EXCEPTION.search(str(found.message))


def test_an_mp3_that_is_only_a_xing_header_is_rejected(write_sound: WriteSound, decode: Decode) -> None:
    path = write_sound("a.mp3", "-c:a libmp3lame -b:a 128k -id3v2_version 0")
    data = path.read_bytes()
    path.write_bytes(data[: data.find(data[:2], 4)])
    found = decode(path)
    assert found.samples is None
    assert found.cause in NO_SOUND
