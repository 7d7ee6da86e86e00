"""The format number of a file is read in one place, and an unknown one is refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.console.errors import DatasetError, TagscaleError, UserError
from schemas.storage.json_object import without_format


def test_the_format_is_taken_out_of_the_fields() -> None:
    assert without_format({"format": 2, "a": 1}, 2, "F") == {"a": 1}
    assert without_format({"format": 1, "a": 1}, 2, "F") == {"a": 1}
    assert without_format({"a": 1}, 2, "F", is_optional=True) == {"a": 1}


@pytest.mark.parametrize("kind", [UserError, DatasetError])
def test_a_newer_format_is_refused_with_what_to_do(kind: type[TagscaleError]) -> None:
    with pytest.raises(kind, match="^F: written in format 3 by a newer tagscale; this one reads 2: upgrade it$"):
        without_format({"format": 3}, 2, "F", error=kind)


@pytest.mark.parametrize(
    "fields", [{}, {"format": None}, {"format": "1"}, {"format": True}, {"format": 0}, {"format": 1.0}]
)
def test_what_is_no_number_of_a_format_is_named(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^its format number is {fields.get('format')!r}$"):
        without_format(fields, 1, "F")
