"""The closing words of a derivation."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.derive.derive import DeriveSummary
from schemas.console.report import Line, Report, following, heading, warning
from schemas.console.shown_commands import training_command
from schemas.layout import generation_name


def derive_report(summary: DeriveSummary) -> Report:
    """What was made, where it lies and what to type next."""
    return Report.of(_parts(summary))


def _parts(summary: DeriveSummary) -> Iterator[Line]:
    spec = summary.spec
    if summary.built:
        names = ", ".join(generation_name(generation) for generation in summary.built)
        yield heading(f"derived {names} of {summary.dataset} in {summary.seconds:.1f} s, no audio decoded")
        yield Line(f"  tracks    {summary.records:,}, {summary.bytes / 1e6:,.1f} MB")
    else:
        yield heading(f"{summary.dataset}: up to date, nothing to derive")
    yield Line(f"  features  {summary.name}: n_mels {spec.mels}, n_fft {spec.n_fft}, hop_length {spec.hop_length}")
    if summary.empty_bands:
        yield warning(
            f"{summary.empty_bands} of {spec.mels} mel bands lie between two bins of the transform and are always "
            "zero; a larger --n-fft has finer bins"
        )
    train = ("train", "--dataset", summary.dataset, "--features", summary.name, "--label-set", "NAME")
    yield following(training_command(*train, "--frontend", "spectrogram", "--out", "RUN"))
