"""How much a command prints and in what form: --quiet, --verbose and --log-json.

The choice lies in an environment variable, so that processes which a command starts print as it does. Only the standard
library is imported: decoding workers read it too.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Literal

VARIABLE = "TAGSCALE_OUTPUT"

Level = Literal["debug", "info", "warning", "error"]


@dataclasses.dataclass(frozen=True)
class Verbosity:
    """What the options say.

    Attributes:
        quiet: print errors, warnings and what --json asks for, and nothing else.
        verbose: print log lines of these packages and of Beam too.
        as_json: print each line as a JSON object.
    """

    quiet: bool = False
    verbose: bool = False
    as_json: bool = False


def set_verbosity(chosen: Verbosity) -> None:
    """Choose for this process and those that it starts from now on."""
    os.environ[VARIABLE] = " ".join(name for name, is_on in dataclasses.asdict(chosen).items() if is_on)


def verbosity() -> Verbosity:
    """What was chosen for this process."""
    words = os.environ.get(VARIABLE, "").split()
    return Verbosity(*(field.name in words for field in dataclasses.fields(Verbosity)))


def is_shown(level: Level) -> bool:
    """Whether --quiet lets a line of this level through."""
    return level in ("warning", "error") or not verbosity().quiet


def level_of(line: str) -> Level:
    """The level of a line whose writer named none: its first word says it."""
    first = line.lstrip().partition(":")[0]
    if first in ("warning", "problem"):
        return "warning"
    return "error" if first == "error" else "info"
