"""Read published lists of tags in the order of a matrix's columns or of a benchmark's vocabulary."""

from __future__ import annotations

import ast
import collections
import dataclasses
import re
from collections.abc import Sequence

from schemas.console.errors import UserError

_ASSIGNMENT = re.compile(r"\s*\w+\s*=\s*\[")


@dataclasses.dataclass(frozen=True)
class TagList:
    """Tags in their published order.

    Attributes:
        uri: URI of the list.
        tags: Tags, each once.
    """

    uri: str
    tags: tuple[str, ...]

    def __post_init__(self) -> None:
        tag, count = collections.Counter(self.tags).most_common(1)[0] if self.tags else ("", 0)
        if not all(self.tags) or count != 1:
            raise UserError(
                f"{self.uri}: expected a list of tags, each once, found "
                f"{f'{tag!r} {count} times' if tag and count > 1 else 'an empty one'}; correct the list"
            )


def is_python_source(lines: Sequence[str]) -> bool:
    """True for lines such as `LABELS = ['rock', 'pop']`."""
    return any(_ASSIGNMENT.match(line) for line in lines)


def python_tag_list(uri: str, lines: Sequence[str]) -> TagList:
    """The only list of strings assigned in Python source, which is parsed and never run; raises UserError."""
    try:
        assigned = [node.value for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.Assign)]
        lists = [ast.literal_eval(value) for value in assigned if isinstance(value, ast.List)]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two if it is nested too deeply
        raise UserError(f"{uri}: expected Python source with a list of strings: {error}") from error
    if len(lists) != 1 or not all(isinstance(tag, str) for tag in lists[0]):
        raise UserError(f"{uri}: expected one list of strings, found {len(lists)} lists or other values in it")
    return TagList(uri, tuple(tag.strip() for tag in lists[0]))


def line_tag_list(uri: str, lines: Sequence[str]) -> TagList:
    """Read one tag per line; raises UserError."""
    return TagList(uri, tuple(line.strip() for line in lines))


def one_order(lists: Sequence[TagList]) -> TagList | None:
    """The order that all lists agree on, or None without a list.

    Raises:
        UserError: two lists differ. Published lists of the same 50 tags do, and each belongs to its own matrices.
    """
    for other in lists[1:]:
        if other.tags != lists[0].tags:
            raise UserError(f"{lists[0].uri} and {other.uri}: {_difference(lists[0], other)}; leave one out")
    return lists[0] if lists else None


def _difference(one: TagList, other: TagList) -> str:
    for place, (here, there) in enumerate(zip(one.tags, other.tags, strict=False), start=1):
        if here != there:
            return (
                f"expected one order of tags, received two: tag {place} is {here!r} in the one, {there!r} in the other"
            )
    return f"expected one order of tags, received lists of {len(one.tags):,} and {len(other.tags):,} tags"
