"""Bitstreams that a header describes as samples are distinguished from real samples, whether loud, quiet or noisy."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from pipeline.audio.bitstreams import BitstreamFound, BitstreamWatch, bitstream_in

NOISE = np.random.default_rng(0).normal(scale=0.2, size=(3 * 48_000, 2)).astype(np.float32)


def encoded(path: Path, codec: str, container: str) -> bytes:
    """Noise as a codec's frames."""
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=48_000, layout="stereo", options={"strict": "-2"})
        stream.bit_rate = 384_000
        resampler = av.AudioResampler(stream.format, "stereo", 48_000, frame_size=stream.frame_size or 0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(NOISE.T), format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        for packed in (*resampler.resample(frame), *resampler.resample(None)):
            packed.pts = None
            file.mux(stream.encode(packed))
        file.mux(stream.encode(None))
    return path.read_bytes()


def as_samples(data: bytes, order: str) -> np.ndarray:
    words = np.frombuffer(data[: len(data) // 4 * 4], f"{order}i2").reshape(-1, 2)
    return words.astype(np.float32) / 32_768


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("codec", "container", "name"),
    [
        ("ac3", "ac3", "AC-3"),
        ("ac3", "spdif", "a digital output's bitstream (IEC 61937)"),
        ("mp2", "mp2", "MPEG audio"),
    ],
)
def test_a_bitstream_is_named_also_behind_silence(
    codec: str, container: str, name: str, order: str, tmp_path: Path
) -> None:
    data = encoded(tmp_path / "a", codec, container)
    assert bitstream_in(as_samples(data, order)) == name
    samples = as_samples(bytes(900_000) + data, order)
    for frames in (1_024, 65_536, len(samples)):  # block sizes of the engines
        watch = BitstreamWatch()
        with pytest.raises(BitstreamFound, match=re.escape(name)):
            for first in range(0, len(samples), frames):
                watch.hear(samples[first : first + frames])
            watch.decide()


def test_the_periods_of_a_tone_are_no_frames() -> None:
    saw = np.rint(2050.85 * (2 * (np.arange(144_000) * 1_000 / 48_000 % 1) - 1)).astype(np.float32) / 32_768
    assert bitstream_in(saw) is None


@pytest.mark.parametrize("sync", [b"\x7f\xfe\x80\x01", b"\x1f\xff\xe8\x00"])
def test_dts_is_named_by_its_sync_words(sync: bytes) -> None:
    frames = [sync + np.random.default_rng(number).bytes(2012 - len(sync)) for number in range(20)]
    for order in "<>":
        assert str(bitstream_in(as_samples(b"".join(frames), order))).startswith("DTS")


@pytest.mark.parametrize("scale", [1.0, 0.01, 0.0001])
def test_samples_are_samples(scale: float) -> None:
    rng = np.random.default_rng(1)
    for sound in (NOISE * scale, rng.integers(-32_768, 32_767, NOISE.shape) * np.float32(scale), np.zeros((100, 2))):
        sixteen = np.clip(np.rint(sound * 32_768), -32_768, 32_767).astype(np.float32) / 32_768
        assert bitstream_in(sixteen) is None
        assert bitstream_in(sound.astype(np.float32)) is None


def test_a_file_of_every_real_kind_is_samples(material: Path) -> None:
    for path in sorted((material / "audio" / "real").rglob("*.flac")):
        block = soundfile.read(path, dtype="float32", always_2d=True, frames=131_072)[0]
        assert bitstream_in(block) is None, path.name
