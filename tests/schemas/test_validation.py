"""How values are checked against the types of their fields, and how a problem is described."""

from __future__ import annotations

import dataclasses
import math
import pickle
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
import pytest
from msgspec import Meta

from schemas.validation import InvalidFieldError, InvalidValueError, checked, from_fields, words

Share = Annotated[float, Meta(ge=0, lt=1)]
Count = Annotated[int, Meta(ge=1, le=9)]
Tags = Annotated[list[str], Meta(extra=words("a list of tags"))]


class Open(TypedDict):
    sha256: str


@dataclasses.dataclass(frozen=True)
class Part:
    size: int
    name: str = ""

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError(f"expected a size of at least 0, received {self.size}")


@dataclasses.dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...]
    files: dict[str, Open] = dataclasses.field(default_factory=dict)


@pytest.mark.parametrize(
    ("value", "hint", "made"),
    [
        (3, int, 3),
        (3, float, 3.0),
        (np.float64(0.5), Share, 0.5),
        (math.inf, float, math.inf),
        (None, int | None, None),
        ("a", Literal["a", "b"], "a"),
        ([1], tuple[int, ...], (1,)),
        ({"a": 1}, dict[str, int], {"a": 1}),
    ],
)
def test_a_value_that_fits_comes_back_as_its_type(value: Any, hint: Any, made: Any) -> None:
    assert (checked("it", value, hint), type(checked("it", value, hint))) == (made, type(made))


@pytest.mark.parametrize(
    ("value", "hint", "said"),
    [
        (True, int, "it: expected int, received True"),
        (1, bool, "it: expected bool, received 1"),
        (True, float, "it: expected float, received True"),
        ("1", int, "it: expected int, received '1'"),
        (1.0, int, "it: expected int, received 1.0"),
        (10**400, float, "it: expected float, received 1000000"),
        ("x", int | None, "it: expected int or null, received 'x'"),
        (3, dict[str, int] | None, "it: expected object or null, received 3"),
        ("c", Literal["a", "b"], "it: expected a or b, received 'c'"),
        (True, Literal[1, 9], "it: expected 1 or 9, received True"),
        (1.5, Share, "it: expected at least 0 and less than 1, received 1.5"),
        (math.nan, Share, "it: expected a finite number, received nan"),
        (math.inf, Annotated[float, Meta(ge=0)], "it: expected a finite number, received inf"),
        ("x", Share, "it: expected float, received 'x'"),
        (0, Count, "it: expected at least 1, received 0"),
        (10, Count, "it: expected at most 9, received 10"),
        (0, Count | None, "it: expected at least 1, received 0"),
        ("a", Tags, "it: expected a list of tags, received 'a'"),
        (["a", ["b"]], Tags, "it[1]: expected str, received ['b']"),
        ({"a": "x"}, dict[str, Tags], "it.a: expected a list of tags, received 'x'"),
        ("x" * 500, int, "it: expected int, received '" + "x" * 79 + "… (502 letters)"),
    ],
)
def test_a_value_that_does_not_fit_is_reported_with_what_was_expected(value: Any, hint: Any, said: str) -> None:
    with pytest.raises(InvalidValueError) as error:
        checked("it", value, hint)
    assert str(error.value).startswith(said)


def test_an_object_becomes_a_dataclass_and_so_do_the_objects_in_it() -> None:
    fields = {"parts": [{"size": 1}, {"size": 2, "name": "b"}], "files": {"x": {"sha256": "aa", "later": 1}}}
    assert from_fields(Whole, fields) == Whole((Part(1), Part(2, "b")), {"x": {"sha256": "aa"}})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "parts: expected a value, received none"),
        ({"parts": [], "part": 1}, "part: unknown field; known are parts, files"),
        ({"parts": [{"size": 1, "sise": 2}]}, "parts[0].sise: unknown field; known are size, name"),
        ({"parts": [{"size": 1}, {}]}, "parts[1].size: expected a value, received none"),
        ({"parts": [{"size": "1"}]}, "parts[0].size: expected int, received '1'"),
        ({"parts": [{"size": -1}]}, "parts[0]: expected a size of at least 0, received -1"),
        ({"parts": ["it"]}, "parts[0]: expected object, received 'it'"),
        ({"parts": {}}, "parts: expected list, received {}"),
        ({"parts": [], "files": {"x": {}}}, "files.x.sha256: expected a value, received none"),
    ],
)
def test_the_field_that_does_not_fit_is_named_with_the_way_to_it(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidFieldError) as error:
        from_fields(Whole, fields)
    assert str(error.value) == said
    assert str(pickle.loads(pickle.dumps(error.value))) == said


def test_what_a_dataclass_refuses_itself_is_reported_in_its_own_words() -> None:
    with pytest.raises(ValueError, match="^expected a size of at least 0, received -1$"):
        from_fields(Part, {"size": -1})
