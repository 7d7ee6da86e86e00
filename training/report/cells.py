"""Pieces that several sections of a report are made of, as HTML."""

from __future__ import annotations

import math
from typing import Any

from schemas.console.page import text
from training.report.run_facts import is_number

_SHOWN = 100  # characters of an id or a tag: those of others may be of any length


def shown(name: str) -> str:
    """An id or a tag, cut where it is very long."""
    return text(name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…")


def figure(value: Any, digits: int = 4) -> str:
    """A metric, or a dash where it is not defined."""
    return f"{value:.{digits}f}" if is_number(value) else "–"


def interval(ends: Any) -> str:
    """The ends of an interval; empty where there is none."""
    if not isinstance(ends, list) or len(ends) != 2 or not all(map(is_number, ends)):
        return ""
    return f'<span class="small">{ends[0]:.4f} to {ends[1]:.4f}</span>'


def meter(share: float, *, chance: float = math.nan, baseline: float = math.nan) -> str:
    """A bar of a share in [0, 1], with marks at what chance and what the baseline give."""
    if math.isnan(share):
        return ""
    marks = "".join(
        f'<{name} style="left:{100 * value:.1f}%"></{name}>'
        for name, value in (("b", chance), ("u", baseline))
        if not math.isnan(value)
    )
    return f'<span class="meter"><i style="width:{100 * share:.1f}%"></i>{marks}</span>'


def quiet(words: str) -> str:
    """A remark; plain text."""
    return f'<p class="quiet">{text(words)}</p>'
