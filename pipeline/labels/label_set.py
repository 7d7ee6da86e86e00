"""A label set: the file in which a team writes which tags it wants, and how annotations become labels."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Literal, get_args

import yaml

from schemas.errors import UserError, did_you_mean
from schemas.storage import read_bytes

Values = Literal["binary", "graded"]
Missing = Literal["negative", "unknown"]
Unlabelled = Literal["keep", "drop"]

# Fields that bind tags to a tag, and how each is written.
_GROUPS = {"merge": "tag: [synonym, …]", "hierarchy": "parent: [child, …]"}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclasses.dataclass(frozen=True)
class LabelSet:
    """A validated label set.

    Attributes:
        name: folder-safe name.
        tags: the wanted tags in output order; empty to choose by count.
        top: how many of the most frequent tags; None for all.
        min_tracks: a tag needs at least as many positive tracks.
        merge: tag -> synonyms that count as it.
        hierarchy: parent -> children; a positive child makes its parents and theirs positive too.
        exclude: tags to leave out.
        values: `binary`, or `graded` to keep values in [0, 1].
        positive_at: least value that counts as positive.
        missing: what a tag without an annotation is: `negative`, or `unknown` (left out of loss and metrics).
        unlabelled: `keep` or `drop` tracks without any tag of the vocabulary.
        split: name of the split that the first version is laid over; None for the default one.
    """

    name: str
    tags: tuple[str, ...] = ()
    top: int | None = None
    min_tracks: int = 0
    merge: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    hierarchy: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    values: Values = "binary"
    positive_at: float = 0.5
    missing: Missing = "negative"
    unlabelled: Unlabelled = "keep"
    split: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise UserError(f"name: expected letters, digits, '.', '_' and '-', received {self.name!r}")
        if self.split is not None and (not isinstance(self.split, str) or not _NAME.fullmatch(self.split)):
            raise UserError(f"split: expected letters, digits, '.', '_' and '-', received {self.split!r}")
        for option, allowed in (("values", Values), ("missing", Missing), ("unlabelled", Unlabelled)):
            if getattr(self, option) not in get_args(allowed):
                raise UserError(
                    f"{option}: expected {' or '.join(get_args(allowed))}, received {getattr(self, option)!r}"
                )
        if self.tags and self.top is not None:
            raise UserError("tags and top: expected one of them, received both")
        for option, least in (("top", 1), ("min_tracks", 0)):
            value = getattr(self, option)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                raise UserError(f"{option}: expected a whole number of at least {least}, received {value!r}")
        is_number = isinstance(self.positive_at, int | float) and not isinstance(self.positive_at, bool)
        if not is_number or not 0 < self.positive_at <= 1:
            raise UserError(f"positive_at: expected a number above 0 and up to 1, received {self.positive_at!r}")
        self._check_merges()
        self._check_exclusions()
        self._check_hierarchy()

    def _check_merges(self) -> None:
        sources = [source for group in self.merge.values() for source in group]
        for tag in (*self.tags, *sources):
            if self.tags.count(tag) > 1 or sources.count(tag) > 1:
                raise UserError(f"tag {tag!r}: expected once, is named twice")
        if cycle := _cycle(self.merge):
            raise UserError(f"merge: {_chain(cycle)} is a cycle; name the one tag that the others count as")
        for source in sources:
            if source in self.merge:
                raise UserError(
                    f"merge: {source!r} is merged into another tag and has tags merged into it; name one target"
                )
            if source in self.tags:
                raise UserError(f"tag {source!r} is both merged away and asked for in tags; remove one")

    def _check_exclusions(self) -> None:
        merged = {*self.merge, *(source for group in self.merge.values() for source in group)}
        related = {*self.hierarchy, *(child for group in self.hierarchy.values() for child in group)}
        for field, named in (("merged", merged), ("asked for", {*self.tags}), ("in the hierarchy", related)):
            for tag in self.exclude:
                if tag in named:
                    raise UserError(f"tag {tag!r} is both excluded and {field}; remove one")

    def _check_hierarchy(self) -> None:
        target_of = {source: target for target, group in self.merge.items() for source in group}
        for parent, children in self.hierarchy.items():
            for tag in (parent, *children):
                if tag in target_of:
                    raise UserError(
                        f"hierarchy: {tag!r} is merged into {target_of[tag]!r}; name {target_of[tag]!r} instead"
                    )
                if children.count(tag) > 1:
                    raise UserError(f"hierarchy {parent}: {tag!r}: expected once, is named twice")
        if cycle := _cycle(self.hierarchy):
            raise UserError(f"hierarchy: {_chain(cycle)} is a cycle; no tag can be its own ancestor")

    def ancestors(self) -> dict[str, tuple[str, ...]]:
        """Tag -> its parents, their parents and so on, sorted; tags without a parent are not in it."""
        parents: dict[str, set[str]] = {}
        for parent, children in self.hierarchy.items():
            for child in children:
                parents.setdefault(child, set()).add(parent)

        def above(tag: str) -> set[str]:
            return {found for parent in parents.get(tag, ()) for found in (parent, *above(parent))}

        return {tag: tuple(sorted(above(tag))) for tag in parents}

    def to_dict(self) -> dict[str, Any]:
        """The resolved label set as JSON can hold it; of the split the manifest says which version was taken."""
        fields = dataclasses.asdict(self)
        del fields["split"]
        for name in ("tags", "exclude"):
            fields[name] = list(fields[name])
        for name in _GROUPS:
            fields[name] = {tag: list(group) for tag, group in fields[name].items()}
        return fields


def read_label_set(uri: str) -> LabelSet:
    """Read a label set from YAML.

    Raises:
        UserError: missing, not YAML, an unknown or wrong field, a tag both merged and excluded, …
    """
    try:
        fields = yaml.safe_load(read_bytes(uri))
    except FileNotFoundError as error:
        raise UserError(f"label set {uri}: no such file; check the path") from error
    except OSError as error:
        raise UserError(f"label set {uri}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"label set {uri}: expected YAML: {' '.join(str(error).split())}") from error
    known = [field.name for field in dataclasses.fields(LabelSet)]
    if not isinstance(fields, dict) or "name" not in fields:
        raise UserError(f"label set {uri}: expected fields with at least a name; known fields are {', '.join(known)}")
    for name in fields:
        if name not in known:
            raise UserError(f"label set {uri}: unknown field {name!r}{did_you_mean(str(name), known)}")
    try:
        for name in ("tags", "exclude"):
            if name in fields:
                fields[name] = _tag_list(fields[name], name)
        if fields.get("tags") == ():
            raise UserError("tags: expected at least one tag; leave the field out to take every tag")
        for name, form in _GROUPS.items():
            if name in fields:
                fields[name] = _tag_groups(fields[name], name, form)
        return LabelSet(**fields)
    except UserError as error:
        raise UserError(f"label set {uri}: {error}") from error


def _tag_groups(value: Any, name: str, form: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise UserError(f"{name}: expected `{form}`, received {value!r}")
    groups: dict[str, tuple[str, ...]] = {}
    for tag, group in value.items():
        tag = _tag(tag, name)
        if tag in groups:  # `80` and `"80"` are two keys to YAML
            raise UserError(f"{name}: {tag!r}: expected once, is named twice")
        groups[tag] = _tag_list(group, f"{name} {tag}")
    return groups


def _cycle(groups: dict[str, tuple[str, ...]]) -> list[str]:
    """A way from some tag through its group, their groups and so on back to it; empty where there is none."""
    left: set[str] = set()  # tags from which no way leads back

    def walk(tag: str, way: list[str]) -> list[str]:
        if tag in way:
            return [*way[way.index(tag) :], tag]
        if tag not in left:
            for member in groups.get(tag, ()):
                if found := walk(member, [*way, tag]):
                    return found
            left.add(tag)
        return []

    return next((found for tag in groups if (found := walk(tag, []))), [])


def _chain(tags: list[str]) -> str:
    return " -> ".join(map(repr, tags))


def _tag_list(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise UserError(f"{name}: expected a list of tags, received {value!r}")
    return tuple(_tag(tag, name) for tag in value)


def _tag(value: Any, name: str) -> str:
    """A tag as text. YAML reads `no` as false, `1.10` as 1.1 and `2020-01-01` as a date: such tags need quotes."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise UserError(f"{name}: expected tags as text, received {value!r}, as YAML reads it; put the tag in quotes")
    return str(value).strip()
