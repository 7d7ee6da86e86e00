"""Filters of a search: which rows of an index it may return. They apply before the search, which then is exact over them."""

from __future__ import annotations

import dataclasses
import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.search.index import Index
from schemas.console.errors import UserError, did_you_mean

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_FILTER = re.compile(r"(.+?)\s*(>=|<=|>|<)\s*([^<>=\s]+)", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class ScoreFilter:
    """A condition on the score of a tag.

    Attributes:
        tag: The tag.
        comparison: `>`, `>=`, `<` or `<=`.
        score: What the tag's score is compared with.
    """

    tag: str
    comparison: str
    score: float

    def __str__(self) -> str:
        return f"{self.tag}{self.comparison}{self.score:g}"


def parse_filter(text: str, tags: Sequence[str]) -> ScoreFilter:
    """A condition such as `rock>0.5`.

    Args:
        text: The condition; the last comparison in it counts, since a tag may hold such signs.
        tags: The tags that have scores.

    Raises:
        UserError: It is no condition, or of no such tag.
    """
    match = _FILTER.fullmatch(text.strip())
    score = _number(match[3]) if match else None
    if match is None or score is None or not 0 <= score <= 1:
        raise UserError(f"--tag: expected NAME>SCORE with >, >=, < or <= and a score from 0 to 1, received {text!r}")
    name = match[1]
    if name not in tags:
        near = did_you_mean(name, tags) or f"; there are {len(tags):,}, such as {tags[0]!r}"
        raise UserError(f"--tag: expected a tag of the model, received {name!r}{near}")
    return ScoreFilter(name, match[2], score)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def passing(index: Index, conditions: Sequence[ScoreFilter]) -> npt.NDArray[np.bool_]:
    """Rows of an index whose scores meet every condition; raises DamagedIndexError."""
    allowed = np.ones(len(index.norms), bool)
    for condition in conditions:
        scores = index.scores.column(index.tags.index(condition.tag)).astype(np.float64)
        allowed &= _COMPARISONS[condition.comparison](scores, condition.score)
    return allowed


def without(column: pa.ChunkedArray, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Rows whose value in a column is none of these; an unknown value is none of them."""
    kept: npt.NDArray[np.bool_] = pc.invert(pc.is_in(column, value_set=values)).to_numpy()
    return kept
