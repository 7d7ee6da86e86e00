"""Check values from files, options and callers against the annotated types of their fields.

msgspec does the checking; this module turns its refusals into errors that name the field, what was expected and what was
received.
The alternative was pydantic 2.14. In a fresh decoding process (Python 3.11, median of nine) importing msgspec 0.23 takes
8 ms of CPU time and 1 MiB, importing pydantic 86 ms and 6 MiB; including the first check of a class of 45 fields it is
20 ms and 2 MiB against 191 ms and 17 MiB.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, is_typeddict

import msgspec

_Made = TypeVar("_Made")

_SHOWN = 80  # letters of a value that an error shows
# Names in JSON and YAML of types that have other names in Python.
_KINDS = {dict: "object", list: "list", tuple: "list", types.NoneType: "null"}
_BOUNDS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "ge": ("at least", operator.ge),
    "gt": ("more than", operator.gt),
    "lt": ("less than", operator.lt),
    "le": ("at most", operator.le),
}


class InvalidFieldError(ValueError):
    """A field is unknown, is missing, or has an invalid value.

    Args:
        path: Name of the field, then the keys and positions that lead to the invalid part.
        problem: Description of the problem without the field.
    """

    def __init__(self, path: tuple[Any, ...], problem: str) -> None:
        super().__init__(f"{_dotted(path)}: {problem}")
        self.path, self.problem = path, problem

    def __reduce__(self) -> tuple[Any, ...]:  # it may be raised in another process
        return InvalidFieldError, (self.path, self.problem)


class InvalidValueError(InvalidFieldError):
    """A value has another type than its field, or is out of bounds.

    Args:
        path: Path to the value, as for `InvalidFieldError`.
        expected: Description of valid values.
        received: The value.
    """

    def __init__(self, path: tuple[Any, ...], expected: str, received: Any) -> None:
        super().__init__(path, f"expected {expected}, received {shortened(received)}")
        self.expected, self.received = expected, received


def words(expected: str) -> dict[str, Any]:
    """The `extra` of a `msgspec.Meta` that describes valid values, such as "a list of tags"."""
    return {"expected": expected}


def shortened(value: object) -> str:
    """A value for an error, shortened if it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} letters)"


def checked(name: str, value: Any, hint: Any) -> Any:
    """`value` as the hinted type. Whole numbers pass as floats; neither a bool nor text passes as a number.

    Args:
        name: Name of the field, for the error.
        value: Value from JSON, YAML or Python.
        hint: A type, which may have bounds through `Annotated` and `msgspec.Meta`; NaN and infinities pass only without
            bounds.

    Raises:
        InvalidValueError: the value has another type or is out of bounds.
    """
    if isinstance(value, float):
        value = float(value)  # numpy's float64 is a subclass, which msgspec would refuse
    try:
        made = msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise _first_problem(value, hint, (name,)) or InvalidFieldError((name,), str(error)) from error
    if isinstance(made, float) and not math.isfinite(made) and _meta(hint) is not None:
        raise InvalidValueError((name,), _expected(value, hint), value)
    return made


def from_fields(kind: type[_Made], fields: Mapping[str, Any]) -> _Made:
    """An instance of a dataclass, and of the dataclasses in its fields, from a JSON object.

    Raises:
        InvalidFieldError: a field is unknown or missing, or has another type.
        ValueError: the dataclass itself refuses the values.
    """
    if (unknown := _unknown_field(fields, kind, ())) is not None:
        raise unknown
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise _first_problem(fields, kind, ()) or ValueError(str(error.__cause__ or error)) from error


def field_hints(kind: Any) -> Mapping[str, Any]:
    """Name -> annotated type of every field of a dataclass or a TypedDict."""
    return _resolved_hints(kind)


@functools.cache  # resolving annotations takes longer than checking the fields of a file
def _resolved_hints(kind: Any) -> Mapping[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    names = hints if is_typeddict(kind) else [field.name for field in dataclasses.fields(kind)]
    return types.MappingProxyType({name: hints[name] for name in names})


def required_fields(kind: Any) -> tuple[str, ...]:
    """The fields of a dataclass or a TypedDict that have no default."""
    if is_typeddict(kind):
        return tuple(name for name in field_hints(kind) if name in kind.__required_keys__)
    missing = dataclasses.MISSING
    return tuple(field.name for field in dataclasses.fields(kind) if field.default is field.default_factory is missing)


def _unknown_field(value: Any, hint: Any, path: tuple[Any, ...]) -> InvalidFieldError | None:
    """The first field unknown to a dataclass, which msgspec would ignore. A TypedDict may have further fields."""
    kind = _object_kind(value, hint)
    if kind is not None and not is_typeddict(kind):
        known = field_hints(kind)
        for name in value:
            if name not in known:
                return InvalidFieldError((*path, name), f"unknown field; known are {', '.join(known)}")
    found = (_unknown_field(part, part_hint, (*path, key)) for key, part, part_hint in _parts(value, hint))
    return next((unknown for unknown in found if unknown is not None), None)


def _first_problem(value: Any, hint: Any, path: tuple[Any, ...]) -> InvalidFieldError | None:
    """The first problem, sought in the parts before the whole, since msgspec names neither keys nor values."""
    kind = _object_kind(value, hint)
    for name in () if kind is None else required_fields(kind):
        if name not in value:
            return InvalidFieldError((*path, name), "expected a value, received none")
    for key, part, part_hint in _parts(value, hint):
        if (problem := _first_problem(part, part_hint, (*path, key))) is not None:
            return problem
    refusal = _refusal(value, hint)
    if refusal is None:
        return None
    if isinstance(refusal.__cause__, ValueError):  # from a dataclass that checks more than types
        return InvalidFieldError(path, str(refusal.__cause__)) if path else None
    return InvalidValueError(path, _expected(value, hint), value)


def _refusal(value: Any, hint: Any) -> msgspec.ValidationError | None:
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        return error
    return None


def _parts(value: Any, hint: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Key, value and type of every part of a value that is a container of the hinted kind."""
    for option in _options(hint):
        origin, arguments = get_origin(option), get_args(option)
        if (kind := _object_kind(value, option)) is not None:
            yield from ((name, value[name], part) for name, part in field_hints(kind).items() if name in value)
        elif origin in (list, tuple) and isinstance(value, list | tuple):
            yield from ((position, part, arguments[0]) for position, part in enumerate(value))
        elif origin is dict and isinstance(value, dict):
            yield from ((key, part, arguments[1]) for key, part in value.items())


def _options(hint: Any) -> tuple[Any, ...]:
    """The types that a hint allows, without their annotations."""
    if get_origin(hint) is Annotated:
        return _options(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(option for each in get_args(hint) for option in _options(each))
    return (hint,)


def _object_kind(value: Any, hint: Any) -> Any:
    """The dataclass or TypedDict for a JSON object; None for any other value."""
    kinds = (option for option in _options(hint) if is_typeddict(option) or dataclasses.is_dataclass(option))
    return next(kinds, None) if isinstance(value, Mapping) else None


def _meta(hint: Any) -> msgspec.Meta | None:
    """The bounds of a type, or of one of the types that it allows."""
    if get_origin(hint) is Annotated:
        return next((note for note in hint.__metadata__ if isinstance(note, msgspec.Meta)), None)
    if get_origin(hint) in (Union, types.UnionType):
        return next(filter(None, map(_meta, get_args(hint))), None)
    return None


def _expected(value: Any, hint: Any) -> str:
    """A description of valid values."""
    meta, options = _meta(hint), _options(hint)
    if meta is not None and meta.extra:
        return str(meta.extra["expected"])
    if meta is not None and _refusal(value, Union[options]) is None and (bounds := _bounds(value, options, meta)):  # noqa: UP007
        return bounds
    named: list[str] = []
    for option in options:
        kind = dict if is_typeddict(option) or dataclasses.is_dataclass(option) else get_origin(option) or option
        named += map(str, get_args(option)) if kind is Literal else [_KINDS.get(kind, kind.__name__)]
    return " or ".join(named)


def _bounds(value: Any, options: tuple[Any, ...], meta: msgspec.Meta) -> str:
    """A description of a number's bounds: the whole interval, or for a whole number the bound that it violates."""
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number"
    return " and ".join(
        f"{name} {bound:g}"
        for key, (name, holds) in _BOUNDS.items()
        if (bound := getattr(meta, key)) is not None and (float in options or not holds(value, bound))
    )


def _dotted(path: tuple[Any, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
