"""The command line of a benchmark."""

from __future__ import annotations

import argparse


def number_given(description: str | None, option: str, default: int) -> int:
    """The number that the only option of a benchmark gives: how often to measure."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument(f"--{option}", type=int, default=default, dest="number", metavar=option.upper())
    return int(arguments.parse_args().number)
