"""Describe a feature spec in words."""

from __future__ import annotations

from schemas.features import Excerpt, FeatureSpec, LogMelSpec, WaveformSpec


def spec_in_words(spec: FeatureSpec) -> str:
    """A one-line description of the stored numbers and the part of a track that they cover."""
    if isinstance(spec, LogMelSpec):
        milliseconds = [1000 * samples / spec.sample_rate for samples in (spec.n_fft, spec.hop_length)]
        return (
            f"{spec.mels} mel bands, window of {spec.n_fft:,} samples ({milliseconds[0]:g} ms), hop of "
            f"{spec.hop_length:,} ({milliseconds[1]:g} ms), of {_waveform(spec.waveform)}"
        )
    return _waveform(spec)


def _waveform(spec: WaveformSpec) -> str:
    return f"{spec.sample_rate:,} Hz mono, {_part(Excerpt.parse(spec.excerpt))}"


def _part(excerpt: Excerpt) -> str:
    if excerpt.where == "full":
        return "whole tracks"
    return f"the {'middle' if excerpt.where == 'center' else 'first'} {excerpt.seconds:g} s"
