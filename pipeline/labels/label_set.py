"""A label set: the file in which a team defines the tags it wants and how annotations become labels."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from pipeline.labels.tag_graph import below_first, cycle_in
from schemas.console.errors import UserError, did_you_mean
from schemas.names import NAME_SCHEMA, check_name
from schemas.user_files.yaml_files import YamlText, is_nothing, number, read_yaml, shown, whole_number
from schemas.validation import InvalidValueError, checked, field_hints, words

Values = Literal["binary", "graded"]
Missing = Literal["negative", "unknown"]
Unlabelled = Literal["keep", "drop"]

Tag = Annotated[str, Meta(extra=words("tags as text"))]
Tags = Annotated[tuple[Tag, ...], Meta(extra=words("a list of tags"))]
Merges = Annotated[dict[str, Tags], Meta(extra=words("`tag: [synonym, …]`"))]
Hierarchy = Annotated[dict[str, Tags], Meta(extra=words("`parent: [child, …]`"))]
Share = Annotated[float, Meta(gt=0, le=1, extra=words("a number above 0 and up to 1"))]

MOST_ANCESTORS = 1_000_000  # pairs of a tag and one above it; a label set of 10,000 tags has far fewer
_SHOWN_TAGS = 12  # tags of a cycle that an error shows


class _FieldError(UserError):
    """A field of a label set is wrong.

    Args:
        field: Name of the field.
        problem: What was expected and what was received.
        of: Tag of a group, if that tag's list is wrong.
        line: Line of the file, if it differs from that of the field.
    """

    def __init__(self, field: str, problem: str, of: str = "", line: int | None = None) -> None:
        super().__init__(f"{field}{f' {of}' if of else ''}: {problem}")
        self.field, self.line = field, line

    def __reduce__(self) -> tuple[Any, ...]:  # it may be raised in another process
        return UserError, (str(self),)


@dataclasses.dataclass(frozen=True)
class LabelSet:
    """The tags that a team wants, and how annotations become labels.

    Attributes:
        name: Folder-safe name.
        tags: Wanted tags in output order; empty to choose by count.
        top: Number of most frequent tags to take; None for all.
        min_tracks: Smallest number of positive tracks of a tag.
        merge: Tag -> synonyms that count as it.
        hierarchy: Parent -> children; a positive child makes its parents and their parents positive too.
        exclude: Tags to leave out.
        values: `binary`, or `graded` to keep values in [0, 1].
        positive_at: Smallest value that counts as positive.
        missing: Meaning of a tag without an annotation: `negative`, or `unknown` (excluded from loss and metrics).
        unlabelled: `keep` or `drop` tracks without any tag of the vocabulary.
        split: Name of the split for the first version; None for the default one.
    """

    name: str
    tags: Tags = ()
    top: Annotated[int, Meta(ge=1, extra=words("a whole number of at least 1"))] | None = None
    min_tracks: Annotated[int, Meta(ge=0, extra=words("a whole number of at least 0"))] = 0
    merge: Merges = dataclasses.field(default_factory=dict)
    hierarchy: Hierarchy = dataclasses.field(default_factory=dict)
    exclude: Tags = ()
    values: Values = "binary"
    positive_at: Share = 0.5
    missing: Missing = "negative"
    unlabelled: Unlabelled = "keep"
    split: str | None = None

    def __post_init__(self) -> None:
        try:
            check_name(self.name, "")
        except UserError as error:
            raise _FieldError("name", str(error).removeprefix(": ")) from error
        if self.split is not None:
            try:
                check_name(self.split, "")
            except UserError as error:
                raise _FieldError("split", str(error).removeprefix(": ")) from error
        for field, hint in field_hints(LabelSet).items():
            _checked(field, getattr(self, field), hint)
        if self.tags and self.top is not None:
            raise UserError("tags and top: expected one of them, received both")
        self._check_merges()
        self._check_exclusions()
        self._check_hierarchy()

    def _check_merges(self) -> None:
        sources = [source for group in self.merge.values() for source in group]
        for field, tags in (("tags", self.tags), ("merge", sources)):
            if (tag := _twice(tags)) is not None:
                raise _FieldError(field, f"tag {tag!r}: expected once, is named twice")
        if cycle := cycle_in(self.merge):
            raise _FieldError("merge", f"{_chain(cycle)} is a cycle; name the one tag that the others count as")
        wanted = {*self.tags}
        for source in sources:
            if source in self.merge:
                raise _FieldError(
                    "merge", f"{source!r} is merged into another tag and has tags merged into it; name one target"
                )
            if source in wanted:
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
                    raise _FieldError(
                        "hierarchy", f"{tag!r} is merged into {target_of[tag]!r}; name {target_of[tag]!r} instead"
                    )
            if (twice := _twice(children)) is not None:
                raise _FieldError("hierarchy", f"{twice!r}: expected once, is named twice", of=parent)
        if cycle := cycle_in(self.hierarchy):
            raise _FieldError("hierarchy", f"{_chain(cycle)} is a cycle; no tag can be its own ancestor")
        self.ancestors()

    def ancestors(self) -> dict[str, tuple[str, ...]]:
        """Tag -> its parents, their parents and so on, sorted; tags without a parent are omitted."""
        parents: dict[str, list[str]] = {}
        for parent, children in self.hierarchy.items():
            for child in children:
                parents.setdefault(child, []).append(parent)
        above: dict[str, set[str]] = {}
        total = 0
        for tag in below_first(parents):  # each tag once, however many paths lead to it
            above[tag] = set().union(parents.get(tag, ()), *(above[parent] for parent in parents.get(tag, ())))
            total += len(above[tag])
            if total > MOST_ANCESTORS:
                raise _FieldError(
                    "hierarchy",
                    f"expected at most {MOST_ANCESTORS:,} pairs of a tag and a tag above it, received more; use fewer levels",
                )
        return {tag: tuple(sorted(above[tag])) for tag in parents}

    def to_dict(self) -> dict[str, Any]:
        """The resolved label set in a form that JSON can hold; the manifest records the split and its version."""
        fields = dataclasses.asdict(self)
        del fields["split"]
        for name in ("tags", "exclude"):
            fields[name] = list(fields[name])
        for name in ("merge", "hierarchy"):
            fields[name] = {tag: list(group) for tag, group in fields[name].items()}
        return fields


def written_hints() -> dict[str, Any]:
    """Name -> type of every field as an editor sees it: to YAML a tag such as `007` or `no` is a number or a boolean."""
    written = str | int | float | bool | None
    tags = tuple[written, ...]  # type: ignore[valid-type]
    name = Annotated[str | int | float | bool, Meta(extra_json_schema=NAME_SCHEMA)]
    return {
        **field_hints(LabelSet),
        "name": name,
        "tags": Annotated[tags, Meta(min_length=1)],
        "merge": dict[str, tags],
        "hierarchy": dict[str, tags],
        "exclude": tags,
        "split": name | None,
    }


def read_label_set(uri: str) -> LabelSet:
    """Read a label set from YAML. Tags are read as they are written, including `007`, `no` and `12:30`.

    Raises:
        UserError: the file is missing or not YAML, a field is unknown or wrong, a tag is both merged and excluded, …
    """
    what = "label set"
    fields = read_yaml(uri, what)
    known = [field.name for field in dataclasses.fields(LabelSet)]
    if not isinstance(fields, dict) or "name" not in fields:
        raise UserError(f"{what} {uri}: expected fields with at least a name; known fields are {', '.join(known)}")
    lines = {str(name): name.line for name in fields}
    for name in fields:
        if name not in known:
            raise UserError(
                f"{what} {uri}: line {name.line}: unknown field {shown(name)}{did_you_mean(name[:99], known)}; known fields "
                f"are {', '.join(known)}"
            )
    try:
        return LabelSet(**{str(name): _field(str(name), value) for name, value in fields.items()})
    except _FieldError as error:
        raise UserError(f"{what} {uri}: line {error.line or lines[error.field]}: {error}") from error
    except UserError as error:
        raise UserError(f"{what} {uri}: {error}") from error


def _field(name: str, value: Any) -> Any:
    """The value of a field from its written form."""
    if name in ("tags", "exclude"):
        tags = _tag_list(_checked(name, value, Tags), name)
        if name == "tags" and not tags:
            raise _FieldError(name, "expected at least one tag; leave the field out to take every tag")
        return tags
    if name in ("merge", "hierarchy"):
        return _tag_groups(_checked(name, value, Merges if name == "merge" else Hierarchy), name)
    if not isinstance(value, str):
        raise _FieldError(name, f"expected one value, received {shown(value)}")
    if name in ("top", "min_tracks"):
        if name == "top" and is_nothing(value):
            return None
        count = whole_number(value)
        return value if count is None else count
    if name == "positive_at":
        share = number(value)
        return value if share is None else share
    return str(value)


def _checked(field: str, value: Any, hint: Any) -> Any:
    """`value`, which must have the hinted type."""
    try:
        checked(field, value, hint)
    except InvalidValueError as error:
        _, *keys = error.path
        tag = next((key for key in keys if isinstance(key, str)), "")
        lines = [part.line for part in (*keys, error.received) if isinstance(part, YamlText)]
        line = lines[-1] if lines else None
        raise _FieldError(field, f"expected {error.expected}, received {shown(error.received)}", tag, line) from error
    return value


def _tag_groups(groups: dict[YamlText, list[YamlText]], name: str) -> dict[str, tuple[str, ...]]:
    read: dict[str, tuple[str, ...]] = {}
    for written, group in groups.items():
        tag = _tag(written, name)
        if tag in read:  # `80` and `" 80"` are two keys to YAML
            raise _FieldError(name, f"{shown(tag)}: expected once, is named twice", line=written.line)
        read[tag] = _tag_list(group, name, of=tag)
    return read


def _tag_list(tags: list[YamlText], field: str, of: str = "") -> tuple[str, ...]:
    return tuple(_tag(tag, field, of) for tag in tags)


def _tag(written: YamlText, field: str, of: str = "") -> str:
    """A tag as it is written, without surrounding white space."""
    tag = str(written).strip()
    if not tag:
        raise _FieldError(field, "expected tags, received an empty one", of, written.line)
    if "\0" in tag:
        raise _FieldError(field, f"expected tags without a NUL letter, received {shown(written)}", of, written.line)
    return tag


def _twice(tags: Sequence[str]) -> str | None:
    """The first tag that occurs twice, if any."""
    counts = collections.Counter(tags)
    return next((tag for tag in tags if counts[tag] > 1), None)


def _chain(tags: list[str]) -> str:
    shortened = tags if len(tags) <= _SHOWN_TAGS else [*tags[: _SHOWN_TAGS - 1], tags[-1]]
    names = [shown(tag) for tag in shortened]
    return " -> ".join(names if len(tags) <= _SHOWN_TAGS else [*names[:-1], "…", names[-1]])
