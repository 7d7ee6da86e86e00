"""A track that is too long is rejected before it is stored, and the message names the limit that it exceeds."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.tracks import DecodingHooks, DecodingPolicy, read_waveform
from schemas.examples import MOST_VALUE_BYTES, around_values, most_samples
from schemas.features import LogMelSpec, WaveformSpec

RATE = 8_000


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """File name extension -> a file with a minute of noise."""
    folder = tmp_path_factory.mktemp("minute")
    noise = np.random.default_rng(0).normal(scale=0.1, size=60 * RATE)
    for ending in ("flac", "mp3"):
        soundfile.write(folder / f"a.{ending}", noise, RATE)
    return {ending: str(folder / f"a.{ending}") for ending in ("flac", "mp3")}


@pytest.mark.parametrize("ending", ["flac", "mp3"])
@pytest.mark.parametrize("excerpt", ["full", "center:5"])
def test_a_source_over_max_seconds_is_too_long(ending: str, excerpt: str, minute: dict[str, str]) -> None:
    spec = WaveformSpec(excerpt)
    assert read_waveform(minute[ending], spec, DecodingPolicy(max_seconds=61)).track.flags == ()
    with pytest.raises(TrackRejected, match="longer than the limit of 59 s") as rejected:
        read_waveform(minute[ending], spec, DecodingPolicy(max_seconds=59))
    assert rejected.value.cause is Cause.TOO_LONG


def test_a_track_that_no_record_holds_is_too_long_unless_an_excerpt_is_stored(minute: dict[str, str]) -> None:
    policy = DecodingPolicy(max_samples=16_000 * 50)
    assert len(read_waveform(minute["flac"], WaveformSpec("center:30"), policy).samples) == 16_000 * 30
    with pytest.raises(TrackRejected, match="longer than 50 s, what a record of 2 GiB has room for") as rejected:
        read_waveform(minute["flac"], WaveformSpec("full"), policy)
    assert rejected.value.cause is Cause.TOO_LONG


def test_what_is_plainly_too_long_is_not_decoded(minute: dict[str, str]) -> None:
    blocks: list[int] = []
    with pytest.raises(TrackRejected):
        read_waveform(
            minute["flac"], WaveformSpec("full"), DecodingPolicy(max_seconds=1), DecodingHooks(lambda: blocks.append(1))
        )
    assert blocks == []


@pytest.mark.parametrize("spec", [WaveformSpec(), LogMelSpec(), LogMelSpec(mels=512, hop_length=64)])
def test_the_longest_track_makes_a_message_that_protobuf_can_read(spec: WaveformSpec | LogMelSpec) -> None:
    samples = most_samples(spec)
    rows, width = (samples, 2) if isinstance(spec, WaveformSpec) else (spec.frames(samples), 2 * spec.mels)
    before, after = around_values(spec.family, "x" * 1000, rows, rows * width)
    assert MOST_VALUE_BYTES - 2 * width * 300 < rows * width < (1 << 31) - len(before) - len(after)
