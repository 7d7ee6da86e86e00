"""Check names that users choose and that become names of files or folders."""

from __future__ import annotations

import re

from schemas.console.errors import UserError

MOST_LETTERS = 128  # file systems allow 255 bytes, and prefixes and suffixes lengthen a name

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# The requirements of `check_name` for a JSON Schema.
NAME_SCHEMA = {"pattern": f"^{_NAME.pattern}$", "maxLength": MOST_LETTERS}
_SHOWN = 60  # letters that an error shows


def check_name(name: object, what: str) -> None:
    """Raise UserError unless `name` can be the name of a folder on any file system; `what` begins the error."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        shown = repr(name)
        received = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
        raise UserError(f"{what}: expected letters, digits, '.', '_' and '-', received {received}")
    if len(name) > MOST_LETTERS:
        raise UserError(f"{what}: expected at most {MOST_LETTERS} letters, received {len(name)}; choose a shorter one")
