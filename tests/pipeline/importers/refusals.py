"""What an import says of files that it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.console.errors import UserError


def refusal_of(importer: Callable[..., object], files: list[str], out: Path, *more: Any, **options: Any) -> str:
    """The error with which an import refuses files: one line, and nothing is written."""
    with pytest.raises(UserError) as refused:
        importer(files, "/audio", str(out), *more, **options)
    assert "\n" not in str(refused.value)
    assert not out.exists()
    return str(refused.value)
