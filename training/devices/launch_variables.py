"""Read the environment variables by which a launcher tells a process its place, with errors that name them."""

from __future__ import annotations

import os

from schemas.console.errors import UserError


def read_variable(name: str, meaning: str, advice: str) -> str:
    """The value of a variable.

    Args:
        name: name of the variable.
        meaning: what it holds.
        advice: what to do if it is missing.

    Raises:
        UserError: it is not set or empty.
    """
    value = os.environ.get(name, "").strip()
    if not value:
        raise UserError(f"{name}: expected {meaning} in the environment, received nothing; {advice}")
    return value


def read_number(name: str, meaning: str, advice: str, *, below: int | None = None, least: int = 0) -> int:
    """The value of a variable that is a whole number of at least `least`, and below `below` if that is given.

    Raises:
        UserError: it is not set, or not such a number.
    """
    value = read_variable(name, meaning, advice)
    number = int(value) if value.isascii() and value.isdecimal() else -1
    if number < least or (below is not None and number >= below):
        bounds = f"at least {least}" if below is None else f"from {least} to {below - 1}"
        raise UserError(f"{name}: expected {meaning}, a whole number {bounds}, received {value}; {advice}")
    return number
