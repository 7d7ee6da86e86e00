"""The JSON files that readers follow: what all of them share, a shard's done mark, and generations.

Each is a frozen dataclass, checked when it is made and when it is read (`schemas.validation`). The files carry `format`
and a checksum of their own fields. A file in a newer format is refused with one line; an invalid file raises an error that
names it and what was expected.
"""

from __future__ import annotations

import abc
import dataclasses
import json
from typing import Any, Self

from schemas.console.errors import DatasetError, UserError
from schemas.storage.checksums import CHECKSUM, with_checksum
from schemas.storage.files import read_bytes
from schemas.storage.json_object import parse_json_object, without_format
from schemas.validation import checked, field_hints, from_fields

FORMAT = 1


def to_json(value: dict[str, Any]) -> bytes:
    """A manifest as bytes with its checksum: sorted keys, indent of two, final newline. Deterministic."""
    return (json.dumps(with_checksum(value), indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_json(uri: str, what: str, advice: str = "restore it from a copy") -> dict[str, Any]:
    """A manifest's fields, without their checksum and format.

    Args:
        uri: URI of the file.
        what: Name of the kind of file, for the error.
        advice: What to do if it is damaged.

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


def check_fields(instance: object, *, without: tuple[str, ...] = ()) -> None:
    """Raise ValueError for a field whose value has another type than its own, except for those in `without`."""
    for name, hint in field_hints(type(instance)).items():
        if name not in without:
            checked(name, getattr(instance, name), hint)


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Base of all manifests: reading, validating, writing."""

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any], *, where: str) -> Self:
        """The manifest with these fields; raises DatasetError if they are invalid."""
        fields = {name: value for name, value in fields.items() if name not in ("format", CHECKSUM)}
        try:
            return cls._from_file(fields)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise DatasetError(f"{where}: not a valid {cls.__name__}: {error}; restore it from a copy") from error
        except UserError as error:  # a spec that this version does not know
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
    """A done mark: the payload of one shard in one family is complete.

    Attributes:
        payload: File name of the payload, in the same folder.
        records: Number of records in the payload.
        bytes: Size of the payload in bytes.
        sha256: SHA-256 of the payload, hex.
        tracks: Number of rows in the shard's tracks part, including rejects.
        tracks_sha256: SHA-256 of that part's file, which shows that both families of a shard describe the same tracks.
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
        generation: Number of the generation.
        shards: Number of shards planned.
        tracks: Number of tracks planned.
        records: Number of tracks stored; null while the build is unfinished.
        rejects: Number of tracks rejected, by cause; null while the build is unfinished.
        tracks_sha256: SHA-256 of tracks/gen-NNN.parquet; null while the build is unfinished.
    """

    generation: int
    shards: int
    tracks: int
    records: int | None = None
    rejects: dict[str, int] | None = None
    tracks_sha256: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
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
class GenerationsManifest(Manifest, abc.ABC):
    """A manifest of something that grows by generations.

    Attributes:
        generations: Generations, oldest first, numbered from 0 without gaps.
        versions: Library versions and CPU type with which the newest generation was planned.
    """

    generations: tuple[GenerationEntry, ...]
    versions: dict[str, str]

    @classmethod
    @abc.abstractmethod
    def read(cls, uri: str) -> Self:
        """The manifest in a file; raises DatasetError if it is missing or damaged."""

    def check_generations(self) -> None:
        """Raise ValueError unless generations are numbered in order and only the newest may be unfinished."""
        if [entry.generation for entry in self.generations] != list(range(len(self.generations))):
            raise ValueError("generations: expected numbers from 0 without gaps")
        if not all(entry.complete for entry in self.generations[:-1]):
            raise ValueError("generations: expected only the newest one without counts")

    @property
    def under_way(self) -> GenerationEntry | None:
        """The newest generation while it is incomplete: its job is running, was stopped, or was refused for its rejects."""
        return self.generations[-1] if self.generations and not self.generations[-1].complete else None

    @property
    def finished(self) -> Self:
        """A copy without the generation under way."""
        return self if self.under_way is None else dataclasses.replace(self, generations=self.generations[:-1])

    def with_generation(self, entry: GenerationEntry, versions: dict[str, str] | None = None) -> Self:
        """A copy with `entry` added, or in place of the entry with the same number."""
        generations = (*self.generations[: entry.generation], entry, *self.generations[entry.generation + 1 :])
        return dataclasses.replace(self, generations=generations, versions=versions or self.versions)
