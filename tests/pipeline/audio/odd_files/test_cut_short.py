"""If a file's header claims more than the file has, the samples that exist are kept and flagged as truncated."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.pipeline.audio.odd_files.conftest import Decode, WriteSound
from tests.pipeline.audio.odd_files.tags import without_id3v2
from tests.pipeline.audio.signals import bursts

SECONDS = 5.0
KEPT_SHARE = 0.6
LAST_FRAMES = 0.5  # seconds: coders spend bits unevenly, and the last coded frame is cut
RESAMPLER_EDGE = 400

BY_FFMPEG = {
    "wav": "-c:a pcm_s16le",
    "wav float": "-c:a pcm_f32le",
    "wav ms-adpcm": "-c:a adpcm_ms",
    "wav ima-adpcm": "-c:a adpcm_ima_wav",
    "wav mp3": "-c:a libmp3lame -f wav",
    "wav rf64": "-c:a pcm_s16le -rf64 always",
    "w64": "-c:a pcm_s16le",
    "aiff": "-c:a pcm_s16be",
    "aiff float": "-c:a pcm_f32be",
    "au": "-c:a pcm_s16be",
    "au float": "-c:a pcm_f32be",
    "caf": "-c:a pcm_s16be",
    "flac": "-c:a flac",
    "mp3": "-c:a libmp3lame -b:a 128k",
    "mp3 vbr": "-c:a libmp3lame -q:a 2",
    "m4a": "-c:a aac -movflags +faststart",
    "wv": "-c:a wavpack",
}
BY_LIBSNDFILE = [
    (kind, subtype)
    for kind in ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC")
    for subtype in ("PCM_16", "PCM_24", "FLOAT", "MS_ADPCM", "IMA_ADPCM", "GSM610", "ULAW")
    if subtype in soundfile.available_subtypes(kind)
]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * KEPT_SHARE)])


def check_cut(path: Path, decode: Decode) -> None:
    whole = decode(path)
    assert (whole.flags, whole.message) == ((), None)
    assert whole.seconds == pytest.approx(SECONDS, abs=0.1)
    cut(path)
    found = decode(path)
    assert "truncated" in found.flags
    assert not {"silent", "clipped", "non_finite"} & set(found.flags)
    assert found.seconds == pytest.approx(KEPT_SHARE * SECONDS, abs=LAST_FRAMES)
    until = len(found.waveform) - round(LAST_FRAMES * 16_000)
    np.testing.assert_allclose(found.waveform[:until], whole.waveform[:until], rtol=0, atol=1)


@pytest.mark.parametrize("kind", BY_FFMPEG)
def test_a_cut_file_is_kept_and_flagged(kind: str, write_sound: WriteSound, decode: Decode) -> None:
    check_cut(write_sound(f"a.{kind.split()[0]}", BY_FFMPEG[kind], seconds=SECONDS), decode)


@pytest.mark.parametrize(("kind", "subtype"), BY_LIBSNDFILE)
def test_a_cut_file_of_libsndfiles_is_kept_and_flagged(kind: str, subtype: str, tmp_path: Path, decode: Decode) -> None:
    channels = 1 if subtype == "GSM610" else 2
    path = tmp_path / f"a.{kind.lower()}"
    soundfile.write(path, bursts(SECONDS, 8_000, channels), 8_000, format=kind, subtype=subtype)
    check_cut(path, decode)


def test_a_cut_mp3_with_a_vbri_header_is_kept_and_flagged(write_sound: WriteSound, decode: Decode) -> None:
    """The file has the header that Fraunhofer's encoder writes in place of the one that LAME wrote."""
    path = write_sound("a.mp3", "-c:a libmp3lame -q:a 2", seconds=SECONDS)
    data = bytearray(without_id3v2(path.read_bytes()))
    xing = data.find(b"Xing")
    frames, size = struct.unpack_from(">II", data, xing + 8)
    data[xing : xing + 120] = bytes(120)
    entry = size // 20 // 2
    vbri = struct.pack(">4sHHHIIHHHH", b"VBRI", 1, 0, 75, size, frames, 20, 2, 2, frames // 20)
    data[36 : 36 + len(vbri) + 40] = vbri + struct.pack(">H", entry) * 20
    path.write_bytes(data)
    check_cut(path, decode)
