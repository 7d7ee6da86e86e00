"""Derive another log-mel family from a dataset's waveform shards with Beam. The command calls `derive`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc

from pipeline.decode.generations import payload_bytes
from pipeline.derive.shards import DerivedShardJob
from pipeline.jobs.beam_options import check_beam_options
from pipeline.jobs.runner import run_with_progress
from pipeline.jobs.shard_job import unfinished_shards
from pipeline.jobs.versions import check_versions, logmel_versions
from schemas.console.errors import UserError
from schemas.console.shown_commands import pipeline_command
from schemas.dataset import Dataset, change_manifest
from schemas.dataset_manifest import DerivedEntry
from schemas.examples import most_samples
from schemas.features import LogMelSpec, WaveformSpec, features_name
from schemas.filterbank import mel_filterbank
from schemas.layout import generation_name
from schemas.sole_writer import sole_writer
from schemas.storage.files import remove_temporaries


@dataclasses.dataclass(frozen=True)
class DeriveOptions:
    """Settings in which the new family differs from the default one; None keeps the default.

    Attributes:
        mels: Number of mel bands.
        n_fft: Length of the window and the transform in samples.
        hop_length: Number of samples between frames.
        workers: Number of local worker processes; None for one per core.
        allow_other_versions: Resume a generation that was started with other library versions.
        beam_options: Options for Beam; without --runner the job runs on this machine.
        detach: Leave the job to an engine instead of waiting for it.
    """

    mels: int | None = None
    n_fft: int | None = None
    hop_length: int | None = None
    workers: int | None = None
    allow_other_versions: bool = False
    beam_options: Sequence[str] = ()
    detach: bool = False

    def __post_init__(self) -> None:
        for option, value in (
            ("--n-mels", self.mels),
            ("--n-fft", self.n_fft),
            ("--hop-length", self.hop_length),
            ("--workers", self.workers),
        ):
            if value is not None and value < 1:
                raise UserError(f"{option}: expected at least 1, received {value}")


@dataclasses.dataclass(frozen=True)
class DeriveSummary:
    """Results of a derivation.

    Attributes:
        dataset: Folder of the dataset.
        name: Name of the features, such as logmel-0123456789ab.
        spec: Spec of the features.
        built: Generations that this call finished.
        records: Number of tracks in those generations.
        bytes: Size of their payloads in bytes.
        empty_bands: Number of mel bands that contain no bin of the transform and so are zero everywhere.
        seconds: Wall time of this call in seconds.
    """

    dataset: str
    name: str
    spec: LogMelSpec
    built: tuple[int, ...]
    records: int
    bytes: int
    empty_bands: int
    seconds: float


def derive(root: str, options: DeriveOptions) -> DeriveSummary:
    """Derive a log-mel family with other settings; the same call again resumes, and extends it to a dataset that has grown.

    Args:
        root: Folder of the dataset.
        options: Options of the derivation.

    Raises:
        UserError: there is no dataset, it holds no waveforms, it was built with these very settings, or a track is too long
            for them.
        DatasetError: a waveform payload is damaged.
        TagscaleError: the Beam job failed; finished shards are kept.
    """
    started = time.monotonic()
    check_beam_options(options.beam_options, detach=options.detach)
    dataset = Dataset.open(root)
    spec = _spec(dataset, options)
    with sole_writer(dataset.layout.all_features, shown=dataset.layout.root):
        dataset = Dataset.open(root)
        _check_lengths(dataset, spec)
        entry = next((entry for entry in dataset.manifest.derived if entry.spec == spec), None)
        # The manifest names it before anything is written, so that a purge finds what an interrupted derivation left.
        entry = _begin(dataset, entry or DerivedEntry(spec, 0, logmel_versions()), options)
        size, built = 0, range(entry.generations, len(dataset.manifest.generations))
        for generation in built:
            _derive_generation(dataset, spec, generation, options)
            job = DerivedShardJob(root, generation, spec)
            size += payload_bytes(job, dataset.manifest.generations[generation].shards)["logmel"]
            entry = dataclasses.replace(entry, generations=generation + 1)
            _write_entry(dataset, entry)
    finished = [dataset.manifest.generations[generation] for generation in built]
    bank = mel_filterbank(spec.sample_rate, spec.n_fft, spec.mels)
    return DeriveSummary(
        dataset=dataset.layout.root,
        name=features_name(spec),
        spec=spec,
        built=tuple(built),
        records=sum(entry.records or 0 for entry in finished),
        bytes=size,
        empty_bands=int(np.count_nonzero(bank.sum(axis=0) == 0)),
        seconds=time.monotonic() - started,
    )


def _spec(dataset: Dataset, options: DeriveOptions) -> LogMelSpec:
    waveform = dataset.spec("waveform")
    if not isinstance(waveform, WaveformSpec):
        raise TypeError(f"Expected a waveform spec. Received: {waveform}")
    chosen = {name: getattr(options, name) for name in ("mels", "n_fft", "hop_length")}
    spec = LogMelSpec(waveform=waveform, **{name: value for name, value in chosen.items() if value is not None})
    if spec.hop_length > spec.n_fft:
        raise UserError(
            f"--hop-length: expected at most --n-fft ({spec.n_fft}), received {spec.hop_length}; samples between two windows "
            "would be in none"
        )
    if spec in dataset.manifest.families.values():
        raise UserError(
            f"{dataset.layout.root}: was built with {features_name(spec)}, which has these settings (n_mels {spec.mels}, n_fft "
            f"{spec.n_fft}, hop_length {spec.hop_length}); choose others"
        )
    return spec


def _begin(dataset: Dataset, entry: DerivedEntry, options: DeriveOptions) -> DerivedEntry:
    """The entry in the manifest, after checking that it can be resumed here."""
    here = logmel_versions()
    generations = dataset.manifest.generations
    if entry.generations == len(generations):
        return entry
    job = DerivedShardJob(dataset.layout.root, entry.generations, entry.spec)
    begun = len(unfinished_shards(job, generations[job.generation].shards)) < generations[job.generation].shards
    if begun:
        what = f"{dataset.layout.root}: {generation_name(job.generation)} of {features_name(entry.spec)}"
        check_versions(what, entry.versions, here, allow_others=options.allow_other_versions)
    else:
        entry = dataclasses.replace(entry, versions=here)
    _write_entry(dataset, entry)
    return entry


def _write_entry(dataset: Dataset, entry: DerivedEntry) -> None:
    change_manifest(dataset.layout, lambda manifest: manifest.with_derived(entry))


def _check_lengths(dataset: Dataset, spec: LogMelSpec) -> None:
    """Raise UserError if a track's spectrogram would not fit into a record."""
    tracks = dataset.newest_tracks(["seconds"])
    longest = pc.max(tracks["seconds"]).as_py() or 0.0
    if longest * spec.sample_rate > most_samples(spec):
        track = tracks.filter(pc.equal(tracks["seconds"], longest))["track_id"][0].as_py()
        raise UserError(
            f"{dataset.layout.root}: {spec.mels} mel bands every {spec.hop_length} samples make more than the 2 GiB of a record "
            f"of track {track!r}, which lasts {longest:.0f} s; expected tracks of at most "
            f"{most_samples(spec) / spec.sample_rate:.0f} s: give fewer --n-mels or a longer --hop-length, or remove the track"
        )


def _derive_generation(dataset: Dataset, spec: LogMelSpec, generation: int, options: DeriveOptions) -> None:
    job = DerivedShardJob(dataset.layout.root, generation, spec)
    shards = dataset.manifest.generations[generation].shards
    shown_by = pipeline_command("status", "--dataset", dataset.layout.root)
    run_with_progress(job, shards, f"derive {generation_name(generation)}", options, shown_by=shown_by)
    remove_temporaries(dataset.layout.features(spec, generation))
