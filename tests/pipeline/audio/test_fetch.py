"""Local files of tracks are read in place, others are copied, and every failure is a typed reject."""

from __future__ import annotations

import os
from pathlib import Path

import fsspec
import pytest

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.fetch import local_audio

CHECKSUM = "crc32c:6xqpIg=="  # checksum of b"audio", as Google Cloud Storage writes it


def cause_of(uri: str) -> Cause:
    with pytest.raises(TrackRejected) as rejected, local_audio(uri):
        pass
    assert uri not in rejected.value.message
    return rejected.value.cause


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_local_file_is_read_where_it_lies_and_has_its_checksum(scheme: str, tmp_path: Path) -> None:
    path = tmp_path / "näme with späces & $(quote)'s.wav"
    path.write_bytes(b"audio")
    with local_audio(f"{scheme}{path}") as found:
        assert found.path == str(path)
        assert found.checksum == CHECKSUM


def test_a_file_in_a_store_is_copied_and_the_copy_is_removed() -> None:
    with fsspec.filesystem("memory").open("memory://bucket/a.wav", "wb") as file:
        file.write(b"audio")
    with local_audio("memory://bucket/a.wav") as found:
        assert Path(found.path).read_bytes() == b"audio"
        assert found.checksum == CHECKSUM
    assert not os.path.exists(found.path)


@pytest.mark.parametrize("uri", ["absent.wav", "memory://bucket/absent.wav"])
def test_a_missing_file_is_not_found(uri: str, tmp_path: Path) -> None:
    assert cause_of(uri if "://" in uri else str(tmp_path / uri)) is Cause.NOT_FOUND


def test_what_cannot_be_read_is_an_io_error(tmp_path: Path) -> None:
    assert cause_of(str(tmp_path / ("a" * 300))) is Cause.IO_ERROR
    assert cause_of(str(tmp_path / "a\0b")) is Cause.IO_ERROR
    assert cause_of("nosuchstore://bucket/a.wav") is Cause.IO_ERROR


@pytest.mark.usefixtures("hanging_fails")
def test_what_is_no_file_is_a_reject_of_its_own(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with fsspec.filesystem("memory").open("memory://bucket/folder/a.wav", "wb") as file:
        file.write(b"audio")
    for uri in (str(tmp_path / "pipe.wav"), str(tmp_path), "/dev/zero", "memory://bucket/folder"):
        assert cause_of(uri) is Cause.NOT_A_FILE
    assert not Cause.NOT_A_FILE.transient


@pytest.mark.parametrize("start", ["file://", "file://localhost", "file:", "FILE://"])
def test_a_file_uri_may_spell_letters_by_their_bytes(start: str, tmp_path: Path) -> None:
    path = tmp_path / "näme with späces & 100% #1?.wav"
    path.write_bytes(b"audio")
    with local_audio(path.as_uri().replace("file://", start, 1)) as found:
        assert (found.path, found.checksum) == (str(path), CHECKSUM)


def test_a_file_uri_of_another_machine_is_reported_as_one() -> None:
    with (
        pytest.raises(TrackRejected, match="received one of the host 'nas'") as rejected,
        local_audio("file://nas/a.wav"),
    ):
        pass
    assert rejected.value.cause is Cause.IO_ERROR


def test_an_error_in_the_decoder_is_not_taken_for_one_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(OSError, match="disk full"), local_audio(str(tmp_path / "a.wav")):
        raise OSError("disk full")
