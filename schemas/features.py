"""The single definition of the features: the meaning of a stored waveform and a stored log-mel spectrogram.

The Beam job (numpy), the training graph and the SavedModel (TensorFlow) all take their numbers from the specs
below, and a test compares each of them with librosa. A spec's fingerprint covers meaning only, never library versions:
two datasets with the same fingerprint can be read by the same model.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from typing import Any, ClassVar, Literal, get_args, overload

import numpy as np

from schemas.console.errors import UserError

SAMPLE_RATE = 16_000  # Hz, mono
N_FFT = 512  # samples, the Hann window and the transform (32 ms)
HOP_LENGTH = 256  # samples between frames (16 ms)
MEL_BANDS = 96  # Slaney bands between 0 Hz and the Nyquist frequency
LOG_GAIN = 10_000.0  # log10(1 + LOG_GAIN * power)
INT16_SCALE = 32_768.0  # an int16 sample divided by this lies in [-1, 1)

Family = Literal["logmel", "waveform"]
FAMILIES: tuple[Family, ...] = get_args(Family)
FINGERPRINT_LENGTH = 12  # hex digits of SHA-256 in folder names

_EXCERPT = re.compile(r"(center|start):(\d+(?:\.\d+)?)")


def canonical_json(value: Any) -> bytes:
    """The canonical bytes of a JSON value: sorted keys, no white space, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@dataclasses.dataclass(frozen=True)
class Excerpt:
    """Which part of a track is stored.

    Attributes:
        where: `full`, `start` or `center`.
        seconds: Length to keep, in seconds; 0 for `full`.
    """

    where: Literal["full", "start", "center"]
    seconds: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Excerpt:
        """`full`, `start:30` or `center:30` as an excerpt; raises UserError for anything else."""
        if text == "full":
            return cls("full")
        match = _EXCERPT.fullmatch(text)
        if match is None or float(match[2]) <= 0:
            raise UserError(
                f"excerpt: expected full, start:SECONDS or center:SECONDS (such as center:30), received {text!r}"
            )
        return cls("center" if match[1] == "center" else "start", float(match[2]))

    def __str__(self) -> str:
        """The canonical spelling of this excerpt, which `parse` reads back."""
        if self.where == "full":
            return self.where
        return f"{self.where}:{np.format_float_positional(self.seconds, trim='-')}"

    def bounds(self, samples: int, sample_rate: int = SAMPLE_RATE) -> tuple[int, int]:
        """First and one-past-last sample of the excerpt in a track of `samples` samples at `sample_rate`."""
        if self.where == "full":
            return 0, samples
        wanted = min(max(1, round(self.seconds * sample_rate)), samples)
        first = (samples - wanted) // 2 if self.where == "center" else 0
        return first, first + wanted


# Waveform algorithms of earlier versions, which this one can read but no longer makes -> what was wrong with each.
FORMER_ALGORITHMS = {
    1: "about one mp3 in ten has wrong samples in places, and joined files may lack all but their first part"
}


@dataclasses.dataclass(frozen=True)
class WaveformSpec:
    """A stored waveform: int16 little-endian mono [samples].

    >>> from schemas import WaveformSpec
    >>> WaveformSpec(excerpt="full").sample_rate
    16000

    Attributes:
        excerpt: Stored part of the track, as text (see `Excerpt`).
        sample_rate: Sample rate in Hz.
        mix: How channels are mixed to mono.
        resampler: Library and quality; the stop band of soxr HQ starts at the new Nyquist frequency.
        algorithm: Version number, raised by hand when the same settings start to yield other samples.
    """

    family: ClassVar[Family] = "waveform"
    excerpt: str = "center:30"
    sample_rate: int = SAMPLE_RATE
    mix: str = "mean"
    resampler: str = "soxr-hq"
    algorithm: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "excerpt", str(Excerpt.parse(self.excerpt)))  # different spellings make the same spec
        if self.algorithm not in FORMER_ALGORITHMS:
            _check_settings(self, known=("algorithm",), counts=())
        _check_settings(self, known=("mix", "resampler"), counts=("sample_rate",))

    @property
    def former_fault(self) -> str | None:
        """What is wrong with waveforms of this algorithm; None for the one that this version uses."""
        return FORMER_ALGORITHMS.get(self.algorithm)

    def to_dict(self) -> dict[str, Any]:
        return {"family": self.family, **dataclasses.asdict(self)}

    @property
    def fingerprint(self) -> str:
        """First hex digits of the SHA-256 of the spec's canonical JSON."""
        return hashlib.sha256(canonical_json(self.to_dict())).hexdigest()[:FINGERPRINT_LENGTH]


@dataclasses.dataclass(frozen=True)
class LogMelSpec:
    """A stored log-mel spectrogram: float16 little-endian [frames, mels], computed from the stored int16 waveform.

    Frames are centred and the signal is padded with zeros, so a waveform of n samples has 1 + n // hop_length
    frames. Values are log10(1 + gain * power), where power is the squared magnitude of a Hann-windowed transform
    summed by Slaney mel bands (librosa's defaults). Source of gain, window and hop: the published code of
    Pons et al., ISMIR 2018.

    >>> from schemas import LogMelSpec
    >>> LogMelSpec(hop_length=512).frames(16_000)
    32
    """

    family: ClassVar[Family] = "logmel"
    waveform: WaveformSpec = dataclasses.field(default_factory=WaveformSpec)
    n_fft: int = N_FFT
    hop_length: int = HOP_LENGTH
    mels: int = MEL_BANDS
    gain: float = LOG_GAIN
    window: str = "hann"
    padding: str = "centred-zeros"
    scale: str = "slaney"
    algorithm: int = 1

    def __post_init__(self) -> None:
        _check_settings(self, known=("window", "padding", "scale", "algorithm"), counts=("n_fft", "hop_length", "mels"))

    @property
    def sample_rate(self) -> int:
        return self.waveform.sample_rate

    def frames(self, samples: int) -> int:
        """Number of frames of a waveform of `samples` samples."""
        return 1 + samples // self.hop_length

    def to_dict(self) -> dict[str, Any]:
        return {"family": self.family, **dataclasses.asdict(self), "waveform": self.waveform.to_dict()}

    @property
    def fingerprint(self) -> str:
        """First hex digits of the SHA-256 of the spec's canonical JSON, including the waveform's spec."""
        return hashlib.sha256(canonical_json(self.to_dict())).hexdigest()[:FINGERPRINT_LENGTH]


FeatureSpec = WaveformSpec | LogMelSpec


def features_name(spec: FeatureSpec) -> str:
    """Name of a spec's features in folders and commands: family and fingerprint."""
    return f"{spec.family}-{spec.fingerprint}"


def _check_settings(spec: FeatureSpec, *, known: tuple[str, ...], counts: tuple[str, ...]) -> None:
    """Raise UserError for a setting that this version does not support: an unknown value, or an invalid count."""
    for name in known:
        only, found = getattr(type(spec), name), getattr(spec, name)
        if found != only:
            raise UserError(
                f"feature spec: {name}: this version of tagscale computes only {only!r}, received {found!r}"
            )
    for name in counts:
        found = getattr(spec, name)
        if not isinstance(found, int) or isinstance(found, bool) or found < 1:
            raise UserError(f"feature spec: {name}: expected a whole number of at least 1, received {found!r}")


def spec_from_dict(fields: dict[str, Any]) -> FeatureSpec:
    """The spec that `to_dict` wrote; raises UserError for unknown families or fields, as from a newer version."""
    fields = dict(fields)
    family = fields.pop("family", None)
    try:
        if family == "waveform":
            return WaveformSpec(**fields)
        if family == "logmel":
            waveform = spec_from_dict(fields.pop("waveform"))
            if not isinstance(waveform, WaveformSpec):
                raise TypeError("its waveform is not a waveform spec")
            return LogMelSpec(waveform=waveform, **fields)
    except (TypeError, KeyError) as error:
        raise UserError(f"feature spec: not understood by this version of tagscale: {error}") from error
    raise UserError(f"feature spec: expected the family {' or '.join(FAMILIES)}, received {family!r}")


def specs_for(families: tuple[Family, ...], excerpt: str) -> dict[Family, FeatureSpec]:
    """The specs of the requested families over one waveform, in a fixed order."""
    waveform = WaveformSpec(excerpt=excerpt)
    every: dict[Family, FeatureSpec] = {"logmel": LogMelSpec(waveform=waveform), "waveform": waveform}
    return {family: every[family] for family in FAMILIES if family in families}


def logmel_spec_of(families: dict[Family, FeatureSpec]) -> LogMelSpec:
    """The log-mel spec among some families, or the default one over their waveform if only waveforms are stored."""
    for spec in families.values():
        if isinstance(spec, LogMelSpec):
            return spec
    waveform = next(spec for spec in families.values() if isinstance(spec, WaveformSpec))
    return LogMelSpec(waveform=waveform)


def waveform_of(spec: FeatureSpec) -> WaveformSpec:
    """The waveform that features are computed from, or that they are."""
    return spec.waveform if isinstance(spec, LogMelSpec) else spec


def logmel_over(spec: FeatureSpec) -> LogMelSpec:
    """A log-mel spec as it is, or the default one over a waveform."""
    return spec if isinstance(spec, LogMelSpec) else LogMelSpec(waveform=spec)


@overload
def with_excerpt(spec: LogMelSpec, excerpt: str) -> LogMelSpec: ...
@overload
def with_excerpt(spec: FeatureSpec, excerpt: str) -> FeatureSpec: ...
def with_excerpt(spec: FeatureSpec, excerpt: str) -> FeatureSpec:
    """The same features of another part of each track."""
    if isinstance(spec, LogMelSpec):
        return dataclasses.replace(spec, waveform=dataclasses.replace(spec.waveform, excerpt=excerpt))
    return dataclasses.replace(spec, excerpt=excerpt)
