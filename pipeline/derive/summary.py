"""The closing words of a derivation."""

from __future__ import annotations

from pipeline.derive.derive import DeriveSummary
from schemas.console.shown_commands import training_command
from schemas.console.terminal import say
from schemas.layout import generation_name


def print_derive_summary(summary: DeriveSummary) -> None:
    """Print what was made, where it lies and what to type next."""
    spec = summary.spec
    if summary.built:
        names = ", ".join(generation_name(generation) for generation in summary.built)
        say(f"derived {names} of {summary.dataset} in {summary.seconds:.1f} s, no audio decoded")
        say(f"  tracks    {summary.records:,}, {summary.bytes / 1e6:,.1f} MB")
    else:
        say(f"{summary.dataset}: up to date, nothing to derive")
    say(f"  features  {summary.name}: n_mels {spec.mels}, n_fft {spec.n_fft}, hop_length {spec.hop_length}")
    if summary.empty_bands:
        say(
            f"  warning: {summary.empty_bands} of {spec.mels} mel bands lie between two bins of the transform and are always "
            "zero; a larger --n-fft has finer bins"
        )
    train = ("train", "--dataset", summary.dataset, "--features", summary.name, "--label-set", "NAME")
    say(f"next: {training_command(*train, '--frontend', 'spectrogram', '--out', 'RUN')}")
