"""The tensorflow-io engine, tested in the environment that it needs (make test-tfio)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.tfio
pytest.importorskip("tensorflow_io", reason="needs the tensorflow-io environment: make test-tfio")

from pipeline.audio.causes import Cause, TrackRejected  # noqa: E402
from pipeline.audio.tracks import DecodingPolicy, read_waveform  # noqa: E402
from pipeline.decode.build import build  # noqa: E402
from pipeline.decode.options import BuildOptions  # noqa: E402
from pipeline.verify import verify  # noqa: E402
from schemas.dataset import Dataset  # noqa: E402
from schemas.features import WaveformSpec  # noqa: E402

SAMPLE_RATE = 44_100
FORMATS = {
    "wav16.wav": "PCM_16",
    "wav24.wav": "PCM_24",
    "wav8.wav": "PCM_U8",
    "float.wav": "FLOAT",
    "flac16.flac": "PCM_16",
    "flac24.flac": "PCM_24",
    "vorbis.ogg": "VORBIS",
    "layer3.mp3": "MPEG_LAYER_III",
}


def _music(seconds: float, channels: int) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = np.stack([np.sin(2 * np.pi * frequency * time) for frequency in (220.0, 277.2, 1318.5)], axis=1)
    hiss = np.random.default_rng(0).normal(scale=0.05, size=(len(time), channels))
    return (tones @ np.full((3, channels), 0.2) + hiss).astype(np.float32)


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audio")
    for name, subtype in FORMATS.items():
        soundfile.write(folder / name, _music(2.0, 2), SAMPLE_RATE, subtype=subtype)
    return folder


@pytest.mark.parametrize("name", FORMATS)
def test_tfio_decodes_to_the_default_decoders_samples_within_one_step(audio: Path, name: str) -> None:
    ours = read_waveform(str(audio / name), WaveformSpec())
    theirs = read_waveform(str(audio / name), WaveformSpec(), DecodingPolicy("tfio"))
    assert len(ours.samples) == len(theirs.samples)
    assert np.abs(ours.samples.astype(int) - theirs.samples).max() <= 1
    assert (ours.track.sample_rate, ours.track.channels) == (theirs.track.sample_rate, theirs.track.channels)


def test_integer_wav_of_32_bits_is_rejected_and_not_read_as_noise(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "wide.wav", _music(0.5, 1), SAMPLE_RATE, subtype="PCM_32")
    with pytest.raises(TrackRejected) as rejected:
        read_waveform(str(tmp_path / "wide.wav"), WaveformSpec(), DecodingPolicy("tfio"))
    assert rejected.value.cause is Cause.UNSUPPORTED_FORMAT


def test_what_tfio_does_not_read_is_rejected_with_its_words_and_without_the_path(tmp_path: Path) -> None:
    (tmp_path / "page.mp3").write_text("<html>not found</html>" * 50)
    with pytest.raises(TrackRejected) as rejected:
        read_waveform(str(tmp_path / "page.mp3"), WaveformSpec(), DecodingPolicy("tfio"))
    assert str(tmp_path) not in rejected.value.message
    assert "function_node" not in rejected.value.message


def test_a_build_with_tfio_agrees_with_one_by_the_default_decoder(audio: Path, tmp_path: Path) -> None:
    with open(tmp_path / "catalog.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["track_id", "uri"])
        writer.writerows((name, str(audio / name)) for name in FORMATS)
    tables = {}
    for decoder in ("auto", "tfio"):
        root = str(tmp_path / decoder)
        summary = build(str(tmp_path / "catalog.csv"), root, BuildOptions(workers=2, decoder=decoder))
        assert (summary.records, summary.rejects) == (len(FORMATS), {})
        assert verify(root, deep=True).problems == ()
        tables[decoder] = Dataset.open(root).newest_tracks()
    assert tables["auto"]["track_id"].equals(tables["tfio"]["track_id"])
    assert tables["auto"]["logmel_length"].equals(tables["tfio"]["logmel_length"])
    assert tables["auto"]["seconds"].equals(tables["tfio"]["seconds"])
