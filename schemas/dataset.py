"""Open a dataset for reading: its manifest, its shards' done marks, and the newest row of every track."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Sequence

import pyarrow as pa

from schemas.console.errors import DatasetError, UserError
from schemas.console.shown_commands import pipeline_command
from schemas.console.terminal import say
from schemas.dataset_manifest import DatasetManifest
from schemas.features import Family, FeatureSpec, LogMelSpec, WaveformSpec, features_name, waveform_of
from schemas.generations import Generations
from schemas.layout import MANIFEST_NAME, Layout
from schemas.manifests import ShardManifest, read_json
from schemas.places import computed_places
from schemas.sole_writer import changing
from schemas.storage.files import exists, size, write_atomic
from schemas.tables import TRACKS

# Columns from which the places of records are read or computed.
_PLACE_COLUMNS = tuple(
    name for name in TRACKS.names if name in ("shard", "seconds") or name.endswith(("_offset", "_length"))
)


def outdated_words(families: dict[Family, FeatureSpec]) -> str | None:
    """What is wrong with features that an earlier version stored, and what to do; None if this version made them."""
    for spec in families.values():
        waveform = waveform_of(spec)
        if waveform.former_fault:
            return (
                f"its features come from algorithm {waveform.algorithm}, under which {waveform.former_fault}; this version uses "
                f"algorithm {WaveformSpec.algorithm}: build the catalog into a new folder, and label and train on that"
            )
    return None


@functools.cache
def _warn_once(words: str) -> None:
    say(words, file=sys.stderr, level="warning")


@dataclasses.dataclass(frozen=True)
class Dataset(Generations):
    """The finished part of a dataset.

    >>> from schemas import Dataset
    >>> dataset = Dataset.open("data")
    >>> tracks = dataset.newest_tracks(["seconds", "codec", "cause"])
    >>> tracks.num_rows, tracks["cause"].null_count
    (36, 36)

    Attributes:
        layout: Paths of its files.
        manifest: dataset.json without the generation under way, so everything read here is complete.
        under_way: Generation whose build is running, was stopped, or was refused for its rejects; None if there is none.
    """

    manifest: DatasetManifest

    @classmethod
    def open(cls, root: str) -> Dataset:
        """Open a dataset with at least one finished generation; one under way is skipped with a note on stderr.

        Raises:
            UserError: there is no dataset, or no generation of it is finished.
            DatasetError: its manifest is damaged.
        """
        dataset = cls.begun(root)
        if not dataset.manifest.generations:
            raise UserError(
                f"{root}: its build is unfinished; run the same `{pipeline_command('build')}` command again"
            )
        if words := outdated_words(dataset.manifest.families):
            _warn_once(f"warning: {dataset.layout.root}: {words}")
        if words := dataset.under_way_words():
            _warn_once(f"note: {dataset.layout.root}: {words}; what was finished before it is used")
        return dataset

    @classmethod
    def begun(cls, root: str) -> Dataset:
        """Open a dataset that may have no finished generation yet.

        Raises:
            UserError: there is no dataset.
            DatasetError: its manifest is damaged.
        """
        layout = Layout(root.rstrip("/") or "/")
        if not exists(layout.manifest):
            raise UserError(
                f"{root}: expected a dataset, found no {MANIFEST_NAME}; make one with `{pipeline_command('build')}`"
            )
        return cls.of(layout, DatasetManifest.read(layout.manifest))

    @classmethod
    def of(cls, layout: Layout, manifest: DatasetManifest) -> Dataset:
        """The finished part of the dataset that a manifest describes."""
        return cls(layout, manifest.finished, manifest.under_way)

    def mark_folders(self, generation: int) -> list[str]:
        """Folders of the payloads and done marks of a generation, one per family that was built."""
        return [self.layout.features(spec, generation) for spec in self.manifest.families.values()]

    def spec(self, family: Family) -> FeatureSpec:
        """The spec of a family that was built; raises UserError if the dataset does not hold it."""
        if family not in self.manifest.families:
            raise UserError(
                f"{self.layout.root}: holds {' and '.join(self.manifest.families)}, not {family}; build a dataset with "
                f"--families {family}"
            )
        return self.manifest.families[family]

    def features(self, name: str) -> FeatureSpec:
        """The spec of built or derived features by their name, such as logmel-0123456789ab.

        Raises:
            UserError: the dataset does not hold them, or lacks them for its newest generations.
        """
        for spec in self.manifest.families.values():
            if features_name(spec) == name:
                return spec
        for entry in self.manifest.derived:
            if features_name(entry.spec) == name:
                if entry.generations < len(self.manifest.generations):
                    raise UserError(
                        f"{self.layout.root}: {name} was derived from {entry.generations} of its "
                        f"{len(self.manifest.generations)} generations; run the same `{pipeline_command('derive')}` command again"
                    )
                return entry.spec
        held = [*self.manifest.families.values(), *(entry.spec for entry in self.manifest.derived)]
        raise UserError(f"{self.layout.root}: holds {', '.join(map(features_name, held))}; received {name}")

    def whole_features(self) -> list[tuple[FeatureSpec, int]]:
        """Every spec that the dataset holds, with the number of generations stored for it."""
        every = len(self.manifest.generations)
        built = [(spec, every) for spec in self.manifest.families.values()]
        return [*built, *((entry.spec, entry.generations) for entry in self.manifest.derived)]

    def shard_manifest(self, spec: FeatureSpec, generation: int, shard: int) -> ShardManifest:
        """The done mark of a shard; raises DatasetError if it is missing or damaged."""
        uri = self.layout.done_mark(spec, generation, shard)
        return ShardManifest.from_dict(read_json(uri, "a shard's done mark"), where=uri)

    def payload(self, spec: FeatureSpec, generation: int, shard: int) -> tuple[str, ShardManifest]:
        """Path and done mark of a shard's payload.

        Raises:
            DatasetError: the done mark is missing or belongs to another shard, or the payload is missing or its size
                differs from its done mark.
        """
        try:
            return self._payload(spec, generation, shard)
        except FileNotFoundError:  # a purge points the mark at a new payload before it removes the old one
            try:
                return self._payload(spec, generation, shard)
            except FileNotFoundError as error:
                where = self.layout.done_mark(spec, generation, shard)
                raise DatasetError(
                    f"{error.filename}: the payload is missing though its done mark is there; restore it from a copy, or restore "
                    f"{where} if that belongs to another shard"
                ) from error

    def _payload(self, spec: FeatureSpec, generation: int, shard: int) -> tuple[str, ShardManifest]:
        mark = self.shard_manifest(spec, generation, shard)
        uri = self.layout.payload(spec, generation, shard, mark.sha256)
        if uri.rsplit("/", 1)[-1] != mark.payload:
            where = self.layout.done_mark(spec, generation, shard)
            raise DatasetError(f"{where}: names the payload {mark.payload}; the mark is another shard's or was changed")
        found = size(uri)
        if found != mark.bytes:
            raise DatasetError(f"{uri}: expected {mark.bytes} bytes, found {found}; the file was cut or replaced")
        return uri, mark

    def places(self, spec: FeatureSpec, tracks: pa.Table) -> pa.Table:
        """Offsets and lengths of records in their shards' payloads.

        Args:
            spec: Spec of the features.
            tracks: A generation's tracks table, or whole shards of it.

        Returns:
            Columns `offset` and `length` (bytes of the whole TFRecord record), one row per track, null for rejects.
        """
        if isinstance(spec, LogMelSpec) and spec != self.manifest.families.get(spec.family):
            return computed_places(spec, tracks)
        return pa.table({name: tracks[f"{spec.family}_{name}"] for name in ("offset", "length")})

    def newest_tracks(self, columns: Sequence[str] | None = None, *, spec: FeatureSpec | None = None) -> pa.Table:
        """One row per track that was not removed: its newest record, or its newest reject if it has no record.

        Args:
            columns: Columns to read besides track_id and record; None for all.
            spec: Features whose places are wanted too.

        Returns:
            A table of schema TRACKS with a leading column `generation`, ordered by track_id; with `spec`, the columns of
            `places` follow.
        """
        if spec is None:
            return self._newest(columns, (), None)
        return self._newest(columns, _PLACE_COLUMNS, lambda tracks: self.places(spec, tracks))


def change_manifest(layout: Layout, change: Callable[[DatasetManifest], DatasetManifest]) -> DatasetManifest:
    """Read, change and write dataset.json while holding the lock against other commands; returns the new manifest."""
    with changing(layout):
        manifest = change(DatasetManifest.read(layout.manifest))
        write_atomic(layout.manifest, manifest.to_bytes())
    return manifest
