"""Commands that are shown to be typed next, spelled so that they work where the user stands."""

from __future__ import annotations

import os
import shlex
import shutil
import sys

from schemas.console.interpreter import checkout

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_SCRIPTS = ("tagscale-pipeline", "tagscale-train")  # what installing the packages puts beside their Python


def pipeline_command(*words: str) -> str:
    """A command of the pipeline, such as `python -m pipeline.run build --catalog 'my music.csv'`.

    Args:
        words: what follows the program's name; paths as the user gave them.
    """
    return _command(_SCRIPTS[0], [_python(), "-m", "pipeline.run"], words)


def training_command(*words: str) -> str:
    """A command of the training stage, such as `python training/run.py train --dataset data`.

    Args:
        words: what follows the program's name; paths as the user gave them.
    """
    in_checkout = os.path.join("training", "run.py")
    is_here = os.path.realpath(in_checkout) == os.path.realpath(os.path.join(_ROOT, in_checkout))
    return _command(_SCRIPTS[1], [_python(), in_checkout if is_here else os.path.join(_ROOT, in_checkout)], words)


def _command(script: str, program: list[str], words: tuple[str, ...]) -> str:
    """A command by the installed script where one started this process or there is no checkout, else by the interpreter."""
    started, name = os.path.split(sys.argv[0])
    if name in _SCRIPTS or not checkout():
        folder = started if name in _SCRIPTS else os.path.dirname(sys.executable)
        found = shutil.which(script)
        is_on_path = found is not None and os.path.realpath(os.path.dirname(found)) == os.path.realpath(folder)
        program = [script if is_on_path else os.path.join(folder, script)]
    return shlex.join([*program, *words])


def _python() -> str:
    """`python` where that is the interpreter that runs now; otherwise its path, from here where it lies below."""
    folder = os.path.dirname(os.path.abspath(sys.executable))
    found = shutil.which("python")
    if found is not None and os.path.dirname(os.path.abspath(found)) == folder:
        return "python"
    path = os.path.abspath(sys.executable)
    here = os.path.join(os.getcwd(), "")
    return path.removeprefix(here)
