"""The JSON files that readers follow: the dataset's manifest, a shard's done mark, a label version's manifest.

Each is a frozen dataclass, checked when it is made and when it is read (`schemas.validation`). The files carry `format`
and a checksum of their own fields; a file of a newer format is refused with one line, a file that does not fit is named
with what was expected.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Self, TypedDict

from schemas.console.errors import DatasetError, UserError
from schemas.console.shown_commands import pipeline_command
from schemas.features import FAMILIES, Family, FeatureSpec, LogMelSpec, WaveformSpec, spec_from_dict
from schemas.storage.checksums import CHECKSUM, with_checksum
from schemas.storage.files import read_bytes
from schemas.storage.json_object import parse_json_object, without_format
from schemas.validation import checked, field_hints, from_fields

FORMAT = 1


def to_json(value: dict[str, Any]) -> bytes:
    """A manifest as bytes, with its checksum: sorted keys, two spaces, a final newline; the same input, the same bytes."""
    return (json.dumps(with_checksum(value), indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_json(uri: str, what: str, advice: str = "restore it from a copy") -> dict[str, Any]:
    """A manifest's fields, without their checksum and format.

    Args:
        uri: of the file.
        what: it is, for the error.
        advice: what to do where it is damaged.

    Raises:
        DatasetError: the file is missing, is not JSON, or was changed since it was written.
        UserError: it was written in a newer format.
    """
    try:
        return without_format(parse_json_object(read_bytes(uri), known_format=FORMAT), FORMAT, uri)
    except FileNotFoundError as error:
        raise DatasetError(f"{uri}: {what} is missing; {advice}") from error
    except ValueError as error:
        raise DatasetError(f"{uri}: expected {what}, a JSON object: {error}; {advice}") from error


def _check_fields(instance: object, *, without: tuple[str, ...] = ()) -> None:
    for name, hint in field_hints(type(instance)).items():
        if name not in without:
            checked(name, getattr(instance, name), hint)


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What all manifests share: reading, validating, writing."""

    def __post_init__(self) -> None:
        _check_fields(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any], *, where: str) -> Self:
        """The manifest of `fields`; raises DatasetError where they do not fit."""
        fields = {name: value for name, value in fields.items() if name not in ("format", CHECKSUM)}
        try:
            return cls._from_file(fields)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise DatasetError(f"{where}: not a valid {cls.__name__}: {error}; restore it from a copy") from error
        except UserError as error:  # of a spec that this version does not know
            raise UserError(f"{where}: {error}") from error

    @classmethod
    def _from_file(cls, fields: dict[str, Any]) -> Self:
        return from_fields(cls, fields)

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, **dataclasses.asdict(self)}

    def to_bytes(self) -> bytes:
        return to_json(self.to_dict())


@dataclasses.dataclass(frozen=True)
class ShardManifest(Manifest):
    """A done mark: one family's payload of one shard is whole.

    Attributes:
        payload: the payload's file name, in the same folder.
        records: records in it.
        bytes: its size.
        sha256: of the payload, hex.
        tracks: rows of the shard's tracks part, rejects included.
        tracks_sha256: of that part's file, so that both families of a shard are known to speak of the same tracks.
    """

    payload: str
    records: int
    bytes: int
    sha256: str
    tracks: int
    tracks_sha256: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if "/" in self.payload or not self.payload:
            raise ValueError(f"payload: expected a file name, received {self.payload!r}")
        if not 0 <= self.records <= self.tracks:
            raise ValueError(f"records: expected 0 to {self.tracks}, received {self.records}")


@dataclasses.dataclass(frozen=True)
class GenerationEntry:
    """One generation of a dataset.

    Attributes:
        generation: its number.
        shards: how many shards were planned.
        tracks: how many tracks were planned.
        records: how many were stored; null while the build is unfinished.
        rejects: how many were rejected, by cause; null while the build is unfinished.
        tracks_sha256: of tracks/gen-NNN.parquet; null while the build is unfinished.
    """

    generation: int
    shards: int
    tracks: int
    records: int | None = None
    rejects: dict[str, int] | None = None
    tracks_sha256: str | None = None

    def __post_init__(self) -> None:
        _check_fields(self)
        if self.generation < 0 or self.shards < 1 or self.tracks < 1:
            raise ValueError(f"expected a generation with at least one shard and one track, received {self}")
        if self.records is not None and self.records + sum((self.rejects or {}).values()) != self.tracks:
            raise ValueError(
                f"generation {self.generation}: {self.records} records and {sum((self.rejects or {}).values())} "
                f"rejects do not make {self.tracks} tracks"
            )

    @property
    def complete(self) -> bool:
        return self.records is not None


@dataclasses.dataclass(frozen=True)
class DerivedEntry:
    """A log-mel family that was made from the stored waveforms, beside the one that came with them.

    Attributes:
        spec: of it.
        generations: how many of the dataset's generations, from the first on, it holds whole.
        versions: library versions and CPU type that its newest generation was begun with.
    """

    spec: LogMelSpec
    generations: int
    versions: dict[str, str]

    def __post_init__(self) -> None:
        _check_fields(self)
        if self.generations < 0:
            raise ValueError(f"derived: generations: expected at least 0, received {self.generations}")


class SpecFields(TypedDict):
    """A family in dataset.json, which may hold more.

    Attributes:
        fingerprint: of the spec.
        spec: what the family's features mean.
    """

    fingerprint: str
    spec: dict[str, Any]


class DerivedFields(SpecFields):
    """A derived family in dataset.json, which may hold more.

    Attributes:
        fingerprint: of the spec.
        spec: what the family's features mean.
        generations: how many of the dataset's generations, from the first on, it holds whole.
        versions: library versions and CPU type that its newest generation was begun with.
    """

    generations: int
    versions: dict[str, str]


@dataclasses.dataclass(frozen=True)
class DatasetFields:
    """dataset.json as it is written: which feature families a dataset holds, and its generations in order.

    Attributes:
        families: spec of each family.
        generations: oldest first; numbered from 0 without gaps.
        versions: library versions and CPU type that the newest generation was planned with.
        derived: further log-mel families, in the order in which they were first asked for.
    """

    families: dict[Family, SpecFields]
    generations: tuple[GenerationEntry, ...]
    versions: dict[str, str]
    derived: tuple[DerivedFields, ...] = ()


@dataclasses.dataclass(frozen=True)
class DatasetManifest(Manifest):
    """What dataset.json says, as `DatasetFields`, with its specs understood."""

    families: dict[Family, FeatureSpec]
    generations: tuple[GenerationEntry, ...]
    versions: dict[str, str]
    derived: tuple[DerivedEntry, ...] = ()

    def __post_init__(self) -> None:
        _check_fields(self, without=("families",))  # of several classes; _parsed_spec made them
        if not self.families or any(family not in FAMILIES for family in self.families):
            raise ValueError(f"families: expected {' or '.join(FAMILIES)}, received {sorted(self.families)}")
        for family, spec in self.families.items():
            if spec.family != family:
                raise ValueError(f"{family}: expected the spec of this family, received one of {spec.family}")
        specs = [*self.families.values(), *(entry.spec for entry in self.derived)]
        if len({spec if isinstance(spec, WaveformSpec) else spec.waveform for spec in specs}) > 1:
            raise ValueError("families: expected all over one waveform, received two")
        if len({spec.fingerprint for spec in specs}) < len(specs):
            raise ValueError("derived: expected each family once")
        if [entry.generation for entry in self.generations] != list(range(len(self.generations))):
            raise ValueError("generations: expected numbers from 0 without gaps")
        if not all(entry.complete for entry in self.generations[:-1]):
            raise ValueError("generations: expected the newest one alone without counts")

    @classmethod
    def _from_file(cls, fields: dict[str, Any]) -> Self:
        file = from_fields(DatasetFields, fields)
        families = {family: _parsed_spec(f"families {family}", entry) for family, entry in file.families.items()}
        derived = tuple(
            DerivedEntry(_parsed_spec("derived", entry), entry["generations"], entry["versions"])
            for entry in file.derived
        )
        return cls(families, file.generations, file.versions, derived)

    def to_dict(self) -> dict[str, Any]:
        def described(spec: FeatureSpec) -> dict[str, Any]:
            return {"fingerprint": spec.fingerprint, "spec": spec.to_dict()}

        return {
            "format": FORMAT,
            "families": {family: described(spec) for family, spec in self.families.items()},
            "generations": [dataclasses.asdict(entry) for entry in self.generations],
            "versions": self.versions,
            "derived": [
                {**described(entry.spec), "generations": entry.generations, "versions": entry.versions}
                for entry in self.derived
            ],
        }

    @property
    def under_way(self) -> GenerationEntry | None:
        """The newest generation while it is not complete: its build goes on, was stopped, or was refused for its rejects."""
        return self.generations[-1] if self.generations and not self.generations[-1].complete else None

    @property
    def finished(self) -> DatasetManifest:
        """A copy without the generation under way."""
        return self if self.under_way is None else dataclasses.replace(self, generations=self.generations[:-1])

    def with_generation(self, entry: GenerationEntry, versions: dict[str, str] | None = None) -> DatasetManifest:
        """A copy in which `entry` is added, or replaces the entry of its number."""
        generations = (*self.generations[: entry.generation], entry, *self.generations[entry.generation + 1 :])
        return dataclasses.replace(self, generations=generations, versions=versions or self.versions)

    def with_derived(self, entry: DerivedEntry) -> DatasetManifest:
        """A copy in which `entry` is added, or replaces the entry of its spec."""
        derived = list(self.derived)
        place = next((number for number, old in enumerate(derived) if old.spec == entry.spec), len(derived))
        derived[place : place + 1] = [entry]
        return dataclasses.replace(self, derived=tuple(derived))

    @classmethod
    def read(cls, uri: str) -> DatasetManifest:
        return cls.from_dict(read_json(uri, "a dataset's manifest"), where=uri)


def _parsed_spec(name: str, entry: SpecFields) -> Any:
    """The spec in a manifest's entry, whose fingerprint must be its own."""
    spec = spec_from_dict(entry["spec"])
    if spec.fingerprint != entry["fingerprint"]:
        raise ValueError(
            f"{name}: expected the fingerprint {spec.fingerprint} of its spec, received {entry['fingerprint']}"
        )
    return spec


# What readers take out of the fields of labels.json.
_LABELS_KEYS = {
    "label_set": ("values", "positive_at", "missing"),
    "split": ("name", "version"),
    "counts": ("tracks", "tags"),
}


@dataclasses.dataclass(frozen=True)
class LabelsManifest(Manifest):
    """labels.json: what one version of a label set was made from, and what it covers.

    Attributes:
        name: of the label set.
        version: the version's hash, over vocabulary and labels.
        label_set: the label set as resolved from its YAML file.
        annotations_sha256: of the annotation files, in order of precedence.
        split: name and version of the split.
        generations: sha256 of tracks/gen-NNN.parquet of every generation covered, oldest first.
        counts: tracks, labelled tracks, tags, tracks per split.
    """

    name: str
    version: str
    label_set: dict[str, Any]
    annotations_sha256: tuple[str, ...]
    split: dict[str, str]
    generations: tuple[str, ...]
    counts: dict[str, int]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, keys in _LABELS_KEYS.items():
            if missing := [key for key in keys if key not in getattr(self, name)]:
                raise ValueError(f"{name}: expected {' and '.join(missing)} in it, received {getattr(self, name)!r}")

    @classmethod
    def read(cls, uri: str) -> LabelsManifest:
        advice = f"lay the same label set again with `{pipeline_command('label')}`, or restore it from a copy"
        return cls.from_dict(read_json(uri, "a label version's manifest", advice), where=uri)
