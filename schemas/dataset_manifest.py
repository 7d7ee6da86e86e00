"""dataset.json: the feature families of a dataset, those derived from them, and its generations."""

from __future__ import annotations

import dataclasses
from typing import Any, Self, TypedDict

from schemas.features import FAMILIES, Family, FeatureSpec, LogMelSpec, spec_from_dict, waveform_of
from schemas.manifests import FORMAT, GenerationEntry, GenerationsManifest, check_fields, read_json
from schemas.validation import from_fields


@dataclasses.dataclass(frozen=True)
class DerivedEntry:
    """A log-mel family derived from the stored waveforms, in addition to the one built with them.

    Attributes:
        spec: Spec of the family.
        generations: Number of the dataset's generations, from the first on, that it holds completely.
        versions: Library versions and CPU type with which its newest generation was started.
    """

    spec: LogMelSpec
    generations: int
    versions: dict[str, str]

    def __post_init__(self) -> None:
        check_fields(self)
        if self.generations < 0:
            raise ValueError(f"derived: generations: expected at least 0, received {self.generations}")


class SpecFields(TypedDict):
    """A family in dataset.json, which may have further fields.

    Attributes:
        fingerprint: Fingerprint of the spec.
        spec: Settings that define the family's features.
    """

    fingerprint: str
    spec: dict[str, Any]


class DerivedFields(SpecFields):
    """A derived family in dataset.json, which may have further fields.

    Attributes:
        fingerprint: Fingerprint of the spec.
        spec: Settings that define the family's features.
        generations: Number of the dataset's generations, from the first on, that it holds completely.
        versions: Library versions and CPU type with which its newest generation was started.
    """

    generations: int
    versions: dict[str, str]


@dataclasses.dataclass(frozen=True)
class DatasetFields:
    """dataset.json as it is written: the feature families of a dataset, and its generations in order.

    Attributes:
        families: Spec of each family.
        generations: Generations, oldest first, numbered from 0 without gaps.
        versions: Library versions and CPU type with which the newest generation was planned.
        derived: Derived log-mel families, in the order in which they were first requested.
    """

    families: dict[Family, SpecFields]
    generations: tuple[GenerationEntry, ...]
    versions: dict[str, str]
    derived: tuple[DerivedFields, ...] = ()


@dataclasses.dataclass(frozen=True)
class DatasetManifest(GenerationsManifest):
    """The content of dataset.json, like `DatasetFields`, with its specs parsed."""

    families: dict[Family, FeatureSpec]
    derived: tuple[DerivedEntry, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self, without=("families",))  # their specs are of several classes; _parsed_spec made them
        if not self.families or any(family not in FAMILIES for family in self.families):
            raise ValueError(f"families: expected {' or '.join(FAMILIES)}, received {sorted(self.families)}")
        for family, spec in self.families.items():
            if spec.family != family:
                raise ValueError(f"{family}: expected the spec of this family, received one of {spec.family}")
        specs = [*self.families.values(), *(entry.spec for entry in self.derived)]
        if len(set(map(waveform_of, specs))) > 1:
            raise ValueError("families: expected all over one waveform, received two")
        if len({spec.fingerprint for spec in specs}) < len(specs):
            raise ValueError("derived: expected each family once")
        self.check_generations()

    @classmethod
    def _from_file(cls, fields: dict[str, Any]) -> Self:
        file = from_fields(DatasetFields, fields)
        families = {family: _parsed_spec(f"families {family}", entry) for family, entry in file.families.items()}
        derived = tuple(
            DerivedEntry(_parsed_spec("derived", entry), entry["generations"], entry["versions"])
            for entry in file.derived
        )
        return cls(file.generations, file.versions, families, derived)

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

    def with_derived(self, entry: DerivedEntry) -> DatasetManifest:
        """A copy with `entry` added, or in place of the entry with the same spec."""
        derived = list(self.derived)
        place = next((number for number, old in enumerate(derived) if old.spec == entry.spec), len(derived))
        derived[place : place + 1] = [entry]
        return dataclasses.replace(self, derived=tuple(derived))

    @classmethod
    def read(cls, uri: str) -> Self:
        return cls.from_dict(read_json(uri, "a dataset's manifest"), where=uri)


def _parsed_spec(name: str, entry: SpecFields) -> Any:
    """The spec in a manifest's entry; raises ValueError if the fingerprint is not that of the spec."""
    spec = spec_from_dict(entry["spec"])
    if spec.fingerprint != entry["fingerprint"]:
        raise ValueError(
            f"{name}: expected the fingerprint {spec.fingerprint} of its spec, received {entry['fingerprint']}"
        )
    return spec
