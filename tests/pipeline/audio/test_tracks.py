"""Audio files of every kind are decoded to the waveform that is stored."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.tracks import DecodingHooks, DecodingPolicy, read_waveform
from schemas.features import INT16_SCALE, WaveformSpec

WriteAudio = Callable[[Path, np.ndarray, int], Path]

FULL = WaveformSpec("full")
RATES = (8_000, 22_050, 44_100, 48_000, 96_000)
CHANNELS = (1, 2, 6)
FREQUENCY = 1000.0
LEVEL = 0.25

# Ending -> sample rates, channel counts, and how well a tone's level is kept: a lossy coder keeps it within 3 %.
ENCODERS = {
    "wav": (RATES, CHANNELS, 1e-3),
    "flac": (RATES, CHANNELS, 1e-3),
    "ogg": (RATES, CHANNELS, 0.03),
    "opus": ((8_000, 48_000), CHANNELS, 0.03),
    "mp3": (RATES[:4], (1, 2), 0.03),
    "m4a": (RATES, CHANNELS, 0.03),
}
CASES = [
    (ending, rate, channels, within)
    for ending, (rates, counts, within) in ENCODERS.items()
    for rate in rates
    for channels in counts
]


def tone(seconds: float, rate: int, frequency: float = FREQUENCY, level: float = LEVEL) -> np.ndarray:
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def spectrum_of(samples: np.ndarray, rate: int = 16_000) -> tuple[float, float]:
    """Frequency in Hz and level (full scale 1) of the strongest tone in the middle half of a waveform."""
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(float) / INT16_SCALE
    window = np.hanning(len(middle))
    magnitude = np.abs(np.fft.rfft(middle * window))
    peak = int(magnitude.argmax())
    power = np.square(magnitude[max(0, peak - 3) : peak + 4]).sum() * 2 / (len(middle) * np.square(window).sum())
    return peak * rate / len(middle), float(np.sqrt(2 * power))


@pytest.mark.parametrize(("ending", "rate", "channels", "within"), CASES)
def test_a_tone_keeps_its_length_frequency_and_level(
    ending: str, rate: int, channels: int, within: float, tmp_path: Path, write_audio: WriteAudio
) -> None:
    sound = np.repeat(tone(2.0, rate)[:, None], channels, axis=1)
    found = read_waveform(str(write_audio(tmp_path / f"a tone, ö.{ending}", sound, rate)), FULL)
    assert (found.samples.dtype, found.track.channels) == (np.int16, channels)
    assert found.track.sample_rate == (48_000 if ending == "opus" else rate)  # an Opus header's rate means nothing
    # Lossy coders work in frames of up to 1152 samples, and may add some frames of padding at either end.
    lossy = within > 1e-3
    padding = 3 * 1152 / min(rate, 48_000) if lossy else 1e-3
    assert found.track.source_seconds == pytest.approx(2.0, abs=padding)
    assert len(found.samples) / 16_000 == pytest.approx(found.track.source_seconds, abs=1e-3)
    frequency, level = spectrum_of(found.samples)
    assert frequency == pytest.approx(FREQUENCY, abs=2)
    # With six channels, a lossy coder may reserve one for low frequencies, which loses this tone.
    least = LEVEL * 5 / 6 if lossy and channels == 6 else LEVEL
    assert least * (1 - within) <= level <= LEVEL * (1 + within)
    assert found.track.flags == ()


def test_a_file_at_the_stored_rate_is_stored_sample_by_sample(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, 40_000, dtype=np.int16)
    soundfile.write(tmp_path / "a.flac", samples, 16_000)
    np.testing.assert_array_equal(read_waveform(str(tmp_path / "a.flac"), FULL).samples, samples)


@pytest.mark.parametrize("channels", [2, 3, 6])
def test_the_mono_mix_is_the_mean_of_the_channels(channels: int, tmp_path: Path, write_audio: WriteAudio) -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (30_000, channels))
    path = tmp_path / "a.wav"
    soundfile.write(path, sound, 16_000, subtype="FLOAT")
    expected = np.rint(sound.mean(axis=1) * INT16_SCALE)
    assert np.abs(read_waveform(str(path), FULL).samples - expected).max() <= 1


def test_channels_in_antiphase_are_silent_and_flagged(tmp_path: Path, write_audio: WriteAudio) -> None:
    sound = tone(1.0, 44_100)
    path = write_audio(tmp_path / "a.wav", np.stack([sound, -sound], axis=1), 44_100)
    assert read_waveform(str(path), FULL).track.flags == ("silent",)


@pytest.mark.parametrize(("excerpt", "first"), [("start:2", 0), ("center:2", 48_000), ("center:2.5", 44_000)])
def test_an_excerpt_is_cut_to_the_sample(excerpt: str, first: int, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-20_000, 20_000, 128_000, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    found = read_waveform(str(tmp_path / "a.wav"), WaveformSpec(excerpt))
    seconds = float(excerpt.split(":")[1])
    np.testing.assert_array_equal(found.samples, samples[first : first + round(seconds * 16_000)])
    assert found.track.source_seconds == 8.0


def test_a_track_shorter_than_the_excerpt_is_stored_whole(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.ones(100, np.int16), 16_000)
    assert len(read_waveform(str(tmp_path / "a.wav"), WaveformSpec("center:30")).samples) == 100


def test_a_single_sample_is_a_track(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([1000], np.int16), 16_000)
    assert read_waveform(str(tmp_path / "a.wav"), FULL).samples.tolist() == [1000]


def test_silence_is_flagged(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros(44_100), 44_100)
    assert read_waveform(str(tmp_path / "a.flac"), FULL).track.flags == ("silent",)


def test_values_beyond_full_scale_are_clipped_and_flagged(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1.0, 16_000, level=3.0), 16_000, subtype="FLOAT")
    found = read_waveform(str(tmp_path / "a.wav"), FULL)
    assert found.track.flags == ("clipped",)
    assert (found.samples.min(), found.samples.max()) == (-32768, 32767)


def test_a_full_scale_file_is_not_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.tile(np.array([-32768, 32767], np.int16), 1000), 16_000)
    assert read_waveform(str(tmp_path / "a.wav"), FULL).track.flags == ()


def test_values_that_are_no_numbers_become_zero_and_are_flagged(tmp_path: Path) -> None:
    sound = tone(1.0, 16_000)
    sound[[100, 200, 300]] = np.nan, np.inf, -np.inf
    soundfile.write(tmp_path / "a.wav", sound, 16_000, subtype="FLOAT")
    found = read_waveform(str(tmp_path / "a.wav"), FULL)
    assert found.track.flags == ("non_finite",)
    assert found.samples[[100, 200, 300]].tolist() == [0, 0, 0]
    assert found.samples[101] == pytest.approx(sound[101] * INT16_SCALE, abs=1)


def test_infinite_values_of_both_channels_do_not_reach_the_resampler(tmp_path: Path) -> None:
    sound = np.stack([tone(1.0, 44_100)] * 2, axis=1)
    sound[500] = np.inf, -np.inf
    soundfile.write(tmp_path / "a.wav", sound, 44_100, subtype="FLOAT")
    found = read_waveform(str(tmp_path / "a.wav"), FULL)
    assert found.track.flags == ("non_finite",)
    assert spectrum_of(found.samples)[1] == pytest.approx(LEVEL, rel=1e-3)


def test_a_file_cut_short_keeps_what_is_there_and_is_flagged(tmp_path: Path, write_audio: WriteAudio) -> None:
    path = write_audio(tmp_path / "a.flac", np.random.default_rng(0).normal(scale=0.1, size=5 * 44_100), 44_100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 5])
    found = read_waveform(str(path), FULL)
    assert 1.0 < found.track.source_seconds < 2.5
    assert "truncated" in found.track.flags


@pytest.mark.parametrize(
    ("real", "named"), [("flac", "mp3"), ("ogg", "wav"), ("m4a", "ogg"), ("wav", "m4a"), ("mp3", "txt")]
)
def test_a_wrong_ending_does_not_matter(real: str, named: str, tmp_path: Path, write_audio: WriteAudio) -> None:
    path = write_audio(tmp_path / f"a.{real}", tone(1.5, 44_100), 44_100).rename(tmp_path / f"b.{named}")
    found = read_waveform(str(path), FULL)
    assert spectrum_of(found.samples)[0] == pytest.approx(FREQUENCY, abs=2)


def rejected(path: Path) -> TrackRejected:
    with pytest.raises(TrackRejected) as found:
        read_waveform(str(path), FULL)
    assert str(path.parent) not in found.value.message
    assert "\n" not in found.value.message
    return found.value


@pytest.mark.parametrize("content", [b"<html>404 Not Found</html>\n" * 40, b"just text", bytes(range(256)) * 20])
def test_what_no_decoder_knows_is_rejected_with_both_decoders_words(content: bytes, tmp_path: Path) -> None:
    (tmp_path / 'it\'s "a" page.mp3').write_bytes(content)
    found = rejected(tmp_path / 'it\'s "a" page.mp3')
    assert found.cause is Cause.UNSUPPORTED_FORMAT
    assert found.message.startswith("libsndfile: ")
    assert "; FFmpeg: " in found.message
    assert "page" not in found.message


def test_an_empty_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").touch()
    assert rejected(tmp_path / "a.mp3").cause is Cause.UNSUPPORTED_FORMAT


def test_a_file_without_samples_is_empty(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.empty(0), 44_100)
    assert rejected(tmp_path / "a.wav").cause is Cause.EMPTY


def test_a_video_without_sound_has_no_audio(material: Path) -> None:
    assert rejected(material / "audio" / "bad" / "own" / "video_only.mp4").cause is Cause.NO_AUDIO


def test_progress_is_reported_while_a_track_decodes(tmp_path: Path, write_audio: WriteAudio) -> None:
    path, calls = write_audio(tmp_path / "a.wav", np.zeros(44_100 * 20), 44_100), []
    read_waveform(str(path), FULL, hooks=DecodingHooks(lambda: calls.append(1)))
    assert len(calls) >= 6


@pytest.mark.parametrize("damaged", [True, False])
def test_an_error_that_a_decoder_only_prints_counts_where_ffmpeg_finds_a_fault_too(
    damaged: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.mp3"
    noise = np.random.default_rng(0).normal(scale=0.2, size=44_100 * 4)
    soundfile.write(path, noise, 44_100, subtype="MPEG_LAYER_III")
    if damaged:
        data = bytearray(path.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 700] = bytes(700)
        path.write_bytes(data)
    words = "[src/libmpg123/layer3.c:III_get_side_info():202] error: big_values too large!"
    printed = iter(["of the file before: error: none of ours", f"Note: fine\n{words}\n"])
    found = read_waveform(str(path), FULL, hooks=DecodingHooks(printed=lambda: next(printed)))
    assert found.track.flags == (("corrupt",) if damaged else ())
    assert found.track.message == (words if damaged else None)


def test_strict_rejects_what_is_kept_and_flagged_otherwise(tmp_path: Path, write_audio: WriteAudio) -> None:
    path = write_audio(tmp_path / "a.flac", np.random.default_rng(0).normal(scale=0.1, size=5 * 44_100), 44_100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 5])
    with pytest.raises(TrackRejected) as found:
        read_waveform(str(path), FULL, DecodingPolicy(strict=True))
    assert found.value.cause in (Cause.TRUNCATED, Cause.CORRUPT)
    assert not found.value.cause.transient
    assert found.value.message


@pytest.mark.slow
def test_every_real_file_decodes_with_the_length_that_ffmpeg_found(material: Path) -> None:
    with open(material / "audio" / "real" / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 49
    shorter = []
    for row in rows:
        found = read_waveform(str(material / "audio" / "real" / row["path"]), WaveformSpec())
        by_ffmpeg = float(row["decoded_seconds"])
        by_libsndfile = by_ffmpeg if row["libsndfile_seconds"] == "error" else float(row["libsndfile_seconds"])
        if abs(by_ffmpeg - by_libsndfile) > 0.05:  # libsndfile, which is asked first, ends this file sooner
            shorter.append(row["path"])
        assert found.track.source_seconds == pytest.approx(by_libsndfile, abs=0.05), row["path"]
        assert len(found.samples) == pytest.approx(min(30.0, found.track.source_seconds) * 16_000, abs=2), row["path"]
        assert (found.track.sample_rate, found.track.channels) == (int(row["sample_rate"]), int(row["channels"])), row[
            "path"
        ]
        assert not {"silent", "non_finite", "corrupt"} & set(found.track.flags), row["path"]
    assert [name.split("/")[-1][:2] for name in shorter] == ["03"]
