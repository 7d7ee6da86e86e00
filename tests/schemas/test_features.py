"""Feature specs: pinned fingerprints, round trips, excerpts."""

from __future__ import annotations

import dataclasses

import pytest

from schemas.console.errors import UserError
from schemas.features import Excerpt, LogMelSpec, WaveformSpec, spec_from_dict, specs_for

# A changed fingerprint means that every dataset on disk is foreign to this code. If a test here fails, the meaning of
# the features has changed: bump `algorithm` on purpose, or undo the change.
PINNED = {
    "center:30": ("logmel-e4bb582ffa67", "waveform-33c0cf528531"),
    "start:30": ("logmel-7a9ec180b10d", "waveform-4c9d49298d32"),
    "full": ("logmel-a2f4cc8cd45e", "waveform-44f0cfe54044"),
}


@pytest.mark.parametrize("excerpt", PINNED)
def test_fingerprints_are_the_pinned_ones(excerpt: str) -> None:
    specs = specs_for(("logmel", "waveform"), excerpt)
    assert tuple(f"{family}-{spec.fingerprint}" for family, spec in specs.items()) == PINNED[excerpt]


@pytest.mark.parametrize("spec", [WaveformSpec(), LogMelSpec(), LogMelSpec(WaveformSpec("full"), mels=128)])
def test_a_spec_comes_back_from_its_fields(spec: WaveformSpec | LogMelSpec) -> None:
    assert spec_from_dict(spec.to_dict()) == spec


def test_every_setting_that_changes_the_samples_changes_both_fingerprints() -> None:
    for waveform in (WaveformSpec("full"), WaveformSpec(sample_rate=22_050)):
        assert waveform.fingerprint != WaveformSpec().fingerprint
        assert LogMelSpec(waveform).fingerprint != LogMelSpec().fingerprint


@pytest.mark.parametrize("changed", [{"n_fft": 1024}, {"hop_length": 128}, {"mels": 128}, {"gain": 1.0}])
def test_every_setting_of_the_spectrogram_changes_its_fingerprint(changed: dict[str, float]) -> None:
    assert dataclasses.replace(LogMelSpec(), **changed).fingerprint != LogMelSpec().fingerprint


@pytest.mark.parametrize(("one", "other"), [("center:30", "center:30.0"), ("start:7.50", "start:7.5")])
def test_two_spellings_of_an_excerpt_are_one_spec(one: str, other: str) -> None:
    assert specs_for(("logmel", "waveform"), one) == specs_for(("logmel", "waveform"), other)
    assert WaveformSpec(one).fingerprint == WaveformSpec(other).fingerprint


@pytest.mark.parametrize(
    "fields",
    [
        {**WaveformSpec().to_dict(), "loudness": -14},
        {**WaveformSpec().to_dict(), "family": "chroma"},
        {**LogMelSpec().to_dict(), "dither": True},
        {**LogMelSpec().to_dict(), "waveform": LogMelSpec().to_dict()},
        {name: value for name, value in LogMelSpec().to_dict().items() if name != "waveform"},
        {},
    ],
)
def test_unknown_families_and_fields_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(UserError, match="feature spec"):
        spec_from_dict(fields)


@pytest.mark.parametrize(
    ("spec", "changed"),
    [
        (WaveformSpec(), {"algorithm": 3}),
        (WaveformSpec(), {"mix": "left"}),
        (WaveformSpec(), {"resampler": "soxr-vhq"}),
        (LogMelSpec(), {"algorithm": 2}),
        (LogMelSpec(), {"window": "hamming"}),
        (LogMelSpec(), {"padding": "reflect"}),
        (LogMelSpec(), {"scale": "htk"}),
        (LogMelSpec(), {"mels": 0}),
    ],
)
def test_a_meaning_that_this_version_cannot_compute_is_refused(
    spec: WaveformSpec | LogMelSpec, changed: dict[str, object]
) -> None:
    with pytest.raises(UserError, match=next(iter(changed))):
        spec_from_dict({**spec.to_dict(), **changed})


@pytest.mark.parametrize(
    "text", ["", "30", "center", "center:", "center:0", "center:-1", "end:30", "center:30s", "Full"]
)
def test_anything_but_an_excerpt_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected full, start:SECONDS or center:SECONDS"):
        Excerpt.parse(text)


@pytest.mark.parametrize(
    "text", ["full", "center:30", "start:0.5", "start:1000000", "center:12.345678", "start:0.00001"]
)
def test_an_excerpt_is_written_as_it_was_read(text: str) -> None:
    assert str(Excerpt.parse(text)) == text
    assert Excerpt.parse(str(Excerpt.parse(text))) == Excerpt.parse(text)


@pytest.mark.parametrize(
    ("text", "samples", "bounds"),
    [
        ("full", 100_000, (0, 100_000)),
        ("start:2", 100_000, (0, 32_000)),
        ("center:2", 100_000, (34_000, 66_000)),
        ("center:2", 100_001, (34_000, 66_000)),
        ("center:2", 32_000, (0, 32_000)),
        ("center:2", 31_999, (0, 31_999)),
        ("start:2", 1, (0, 1)),
        ("start:0.00001", 100, (0, 1)),
    ],
)
def test_an_excerpt_is_cut_from_the_place_it_names_and_never_beyond_the_track(
    text: str, samples: int, bounds: tuple[int, int]
) -> None:
    assert Excerpt.parse(text).bounds(samples) == bounds


def test_specs_come_in_one_order_whatever_was_asked() -> None:
    assert list(specs_for(("waveform", "logmel"), "full")) == ["logmel", "waveform"]
    assert list(specs_for(("waveform",), "full")) == ["waveform"]


def test_centred_frames_are_one_more_than_whole_hops() -> None:
    assert [LogMelSpec().frames(samples) for samples in (1, 255, 256, 512, 480_000)] == [1, 1, 2, 3, 1876]
