"""An excerpt is made from only its part of the source, and equals that part of the whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.excerpts import resampled_length, window_of
from pipeline.audio.recognition import recognize
from pipeline.audio.soundfile_engine import SoundfileSource
from pipeline.audio.sources import BLOCK_FRAMES
from pipeline.audio.tracks import read_waveform
from schemas.features import Excerpt, WaveformSpec

WriteAudio = Callable[[Path, np.ndarray, int], Path]


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("excerpt", ["start:3", "center:3", "center:0.5"])
def test_a_window_holds_the_excerpt_in_phase_with_the_whole(excerpt: str, rate: int) -> None:
    frames = 61 * rate + 17
    window = window_of(Excerpt.parse(excerpt), frames, rate, 16_000)
    assert window is not None
    assert (window.first * 16_000) % rate == 0
    begin, end = Excerpt.parse(excerpt).bounds(resampled_length(frames, rate, 16_000))
    assert (window.first * 16_000 // rate + window.skip, window.samples) == (begin, end - begin)
    assert window.end - window.first < rate * (float(excerpt.split(":")[1]) + 1)


@pytest.mark.parametrize(("excerpt", "frames"), [("full", 44_100), ("center:30", 44_100), ("center:30", None)])
def test_what_needs_the_whole_has_no_window(excerpt: str, frames: int | None) -> None:
    assert window_of(Excerpt.parse(excerpt), frames, 44_100, 16_000) is None


class Counted(SoundfileSource):
    frames_read = 0

    def blocks(self):  # type: ignore[no-untyped-def]
        for block in super().blocks():
            Counted.frames_read += len(block)
            yield block


@pytest.mark.parametrize(("ending", "is_sought"), [("wav", True), ("flac", True), ("ogg", False), ("mp3", False)])
@pytest.mark.parametrize("excerpt", ["start:2", "center:2"])
def test_what_is_not_kept_is_not_decoded_where_the_format_allows_it(
    excerpt: str, ending: str, is_sought: bool, tmp_path: Path, write_audio: WriteAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = np.random.default_rng(0).normal(scale=0.1, size=(30 * 44_100, 2))
    path = str(write_audio(tmp_path / f"a.{ending}", sound, 44_100))
    whole = read_waveform(path, WaveformSpec("full")).samples
    monkeypatch.setattr("pipeline.audio.engines.SoundfileSource", Counted)
    Counted.frames_read = 0
    found = read_waveform(path, WaveformSpec(excerpt))
    first, end = Excerpt.parse(excerpt).bounds(len(whole))
    # The last bit of float32 depends on where a resampler begins, so one sample in a thousand may differ by an int16 step.
    difference = np.abs(found.samples.astype(int) - whole[first:end])
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= 0.005 * len(difference)
    assert found.track.source_seconds == pytest.approx(30, abs=0.1)
    partly = is_sought or excerpt.startswith("start")
    assert (Counted.frames_read < 5 * 44_100) == partly


def test_a_header_that_claims_too_much_does_not_move_the_excerpt(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).normal(scale=0.1, size=40 * 44_100)
    soundfile.write(tmp_path / "a.flac", sound, 44_100)
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(data[: len(data) // 2])
    whole = read_waveform(str(tmp_path / "cut.flac"), WaveformSpec("full"))
    excerpt = read_waveform(str(tmp_path / "cut.flac"), WaveformSpec("center:4"))
    first, end = Excerpt.parse("center:4").bounds(len(whole.samples))
    np.testing.assert_array_equal(excerpt.samples, whole.samples[first:end])
    assert "truncated" in excerpt.track.flags


def test_a_source_is_sought_only_where_the_claimed_length_is_true(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.random.default_rng(0).normal(scale=0.1, size=500_000), 44_100)
    data = bytearray((tmp_path / "a.flac").read_bytes())
    source = SoundfileSource(recognize(AudioFile(str(tmp_path / "a.flac"))))
    assert source.seek_exactly(300_000)
    assert len(next(source.blocks())) == BLOCK_FRAMES
    source.close()
    data[21:26] = data[21] & 0xF0, 0, 0, 0x30, 0x00  # STREAMINFO claims 12,288 samples; there are 500,000
    (tmp_path / "b.flac").write_bytes(data)
    source = SoundfileSource(recognize(AudioFile(str(tmp_path / "b.flac"))))
    assert not source.seek_exactly(10_000)
    source.close()
