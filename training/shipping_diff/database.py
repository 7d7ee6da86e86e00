"""The DuckDB in which two folders of tags are compared: in memory up to a limit, then on disk."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from training.shipping_diff.float16_steps import UNITS_MACRO

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MEMORY = "2GB"  # of DuckDB alone; 1.5 million tracks of 50 tags take 0.4


@contextlib.contextmanager
def open_database() -> Iterator[DuckDBPyConnection]:
    """An empty database, which vanishes at the end."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="tagscale-compare-") as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY,
            "temp_directory": folder,
            "autoinstall_known_extensions": "false",
        }
        with duckdb.connect(config=config) as database:
            # DuckDB 1.5 pushes what it knows of one side of a join below the ORDER BY … LIMIT of the other, whose rows change.
            database.execute("SET disabled_optimizers = 'join_filter_pushdown'")
            database.execute(UNITS_MACRO)
            yield database


def total(terms: Sequence[str]) -> str:
    """The sum of some expressions, in brackets by halves: a chain of a thousand is deeper than DuckDB reads."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return f"({total(terms[:half])} + {total(terms[half:])})"
