"""A notebook gets exactly the samples and frames that a build stores, and a bad file does it no harm."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline.audio.loading
from pipeline.audio import TrackRejected, load_waveform, log_mel
from pipeline.audio.causes import Cause
from pipeline.audio.isolation import DecodingProcess
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.examples import decode_example
from schemas.features import Family, LogMelSpec
from schemas.storage.files import open_read
from schemas.tfrecord import read_records
from tests.conftest import ROTATION, SmallCorpus

FAULTS = Path(__file__).parents[2] / "faults"


def stored(dataset: Dataset, family: Family) -> dict[str, np.ndarray[Any, Any]]:
    """Track id -> the feature in its record."""
    found = {}
    for shard in range(dataset.manifest.generations[0].shards):
        uri, _ = dataset.payload(dataset.spec(family), 0, shard)
        with open_read(uri) as file:
            found.update(decode_example(family, payload, where=uri) for _, payload in read_records(file, where=uri))
    return found


def test_samples_and_frames_are_those_of_a_build(small_corpus: SmallCorpus, built_dataset: Path) -> None:
    dataset = Dataset.open(str(built_dataset))
    waveforms, spectrograms = (stored(dataset, family) for family in ("waveform", "logmel"))
    for track_id, uri, _ in small_corpus.rows[: len(ROTATION)]:
        waveform = load_waveform(str(small_corpus.folder / uri))
        assert waveform.dtype == np.int16
        np.testing.assert_array_equal(waveform, waveforms[track_id], err_msg=uri)
        np.testing.assert_array_equal(log_mel(waveform), spectrograms[track_id], err_msg=uri)


def test_an_excerpt_is_that_part_of_the_file(small_corpus: SmallCorpus) -> None:
    file = str(small_corpus.folder / small_corpus.rows[0][1])
    whole = load_waveform(file, "full")
    np.testing.assert_array_equal(load_waveform(file, "start:1"), whole[:16_000])
    with pytest.raises(UserError, match="expected full, start:SECONDS or center:SECONDS"):
        load_waveform(file, "first:1")


def test_floats_are_rounded_as_a_build_rounds_them() -> None:
    samples = np.random.default_rng(0).integers(-32_768, 32_768, 4_000, np.int16)
    np.testing.assert_array_equal(log_mel(samples / 32_768), log_mel(samples))
    assert log_mel(samples, LogMelSpec(hop_length=512, mels=40)).shape == (8, 40)


@pytest.mark.parametrize(
    ("waveform", "words"),
    [
        (np.zeros((2, 100), np.int16), r"expected one row of samples, mono at 16 kHz, received int16 \[2, 100\]"),
        (np.zeros(0, np.float32), r"expected one row of samples, mono at 16 kHz, received float32 \[0\]"),
        (np.zeros(100, np.int32), r"expected int16, or floats with full scale at 1, received int32 \[100\]"),
        (np.full(100, np.nan), "expected finite samples, received NaN or infinity"),
    ],
)
def test_what_is_no_waveform_is_refused(waveform: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        log_mel(waveform)


def test_a_file_that_crashes_its_decoder_is_a_rejected_track(
    tmp_path: Path, write_audio: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(FAULTS))
    process = functools.partial(DecodingProcess, module="misbehaving_decoder")
    monkeypatch.setattr(pipeline.audio.loading, "DecodingProcess", process)
    with pytest.raises(TrackRejected) as rejected:
        load_waveform(str(write_audio(tmp_path / "crash.wav", np.zeros(16_000, np.float32), 16_000)))
    assert rejected.value.cause is Cause.DECODER_CRASH
    with pytest.raises(TrackRejected) as rejected:
        load_waveform(str(tmp_path / "missing.wav"))
    assert rejected.value.cause is Cause.NOT_FOUND
