"""The format and the claims of a file are read from its headers before a decoder sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.recognition import Recognized, recognize

NOISE = np.random.default_rng(0).normal(scale=0.1, size=3 * 44_100)
ID3 = b"ID3\x04\x00\x00\x00\x00\x02\x01" + b"\x00" * 257  # a tag of 257 bytes before the audio


def recognized(path: Path, content: bytes) -> Recognized:
    path.write_bytes(content)
    return recognize(AudioFile(str(path)))


def encoded(folder: Path, kind: str, subtype: str | None = None, rate: int = 44_100) -> bytes:
    soundfile.write(folder / "encoded", NOISE, rate, format=kind, subtype=subtype)
    return (folder / "encoded").read_bytes()


@pytest.mark.parametrize("tag", [b"", ID3], ids=["bare", "tagged"])
@pytest.mark.parametrize(
    ("kind", "subtype", "name", "claims"),
    [
        ("FLAC", "PCM_16", "flac", True),
        ("MP3", "MPEG_LAYER_III", "mpeg", True),
        ("OGG", "VORBIS", "ogg", False),
        ("WAV", "PCM_16", "chunks", False),
        ("VOC", "PCM_16", "other", False),
    ],
)
def test_a_kind_and_a_claim_are_read_behind_a_tag_too(
    kind: str, subtype: str, name: str, claims: bool, tag: bytes, tmp_path: Path
) -> None:
    content = encoded(tmp_path, kind, subtype)
    found = recognized(tmp_path / "a", tag + content)
    assert (found.kind, found.file.first, found.file.size) == (name, len(tag), len(content))
    assert (found.claimed_seconds is not None) is claims
    if claims:
        assert found.claimed_seconds == pytest.approx(3, abs=0.08)
    assert (found.doubt is not None) is (kind == "VOC")


def test_opus_that_names_a_low_rate_is_not_libsndfiles(tmp_path: Path) -> None:
    assert recognized(tmp_path / "a", encoded(tmp_path, "OGG", "OPUS", 48_000)).doubt is None
    assert (
        recognized(tmp_path / "a", encoded(tmp_path, "OGG", "OPUS", 16_000)).doubt
        == "Opus that names a rate of 16000 Hz"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:3,\n/etc/passwd\n",
        b"\xef\xbb\xbf#EXTM3U8\n",
        b"  \nffconcat version 1.0\nfile other.mp3\n",
        b"[playlist]\nFile1=a.mp3\n",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=audio 5004 RTP/AVP 0\r\n",
        b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">\n',
    ],
)
def test_a_playlist_is_named_and_rejected(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(TrackRejected, match="is a playlist") as rejected:
        recognized(tmp_path / "a.mp3", content)
    assert rejected.value.cause is Cause.UNSUPPORTED_FORMAT


def test_a_file_that_is_only_a_tag_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrackRejected, match="nothing but tags of 267 bytes") as rejected:
        recognized(tmp_path / "a.mp3", ID3)
    assert rejected.value.cause is Cause.NO_AUDIO


def test_compressed_audio_behind_a_wave_header_is_not_taken_for_samples(tmp_path: Path) -> None:
    content = encoded(tmp_path, "WAV")
    place = content.index(b"data") + 8
    found = recognized(tmp_path / "a.wav", content[:place] + b"wvpk" + content[place + 4 :])
    assert found.file.first == place
    assert found.doubt == "WavPack behind a header that announces samples"


def test_a_file_that_is_not_there_or_no_file_is_rejected(tmp_path: Path) -> None:
    for path, cause in ((tmp_path / "none", Cause.NOT_FOUND), (tmp_path, Cause.NOT_A_FILE)):
        with pytest.raises(TrackRejected) as rejected:
            recognize(AudioFile(str(path)))
        assert rejected.value.cause is cause


def test_a_xing_header_that_counts_no_frames_tells_no_length(tmp_path: Path) -> None:
    content = bytearray(encoded(tmp_path, "MP3"))
    place = content.index(b"Xing") if b"Xing" in content[:4096] else content.index(b"Info")
    assert recognized(tmp_path / "a", bytes(content)).tells_length
    content[place + 7] &= ~1
    assert not recognized(tmp_path / "a", bytes(content)).tells_length


def test_a_text_of_two_bytes_a_letter_is_no_mpeg_audio(tmp_path: Path) -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        content = "\ufefftrack list of the album\n".encode(encoding) * 9
        with pytest.raises(TrackRejected, match="a text of two bytes a letter"):
            recognized(tmp_path / "a.mp3", content)
