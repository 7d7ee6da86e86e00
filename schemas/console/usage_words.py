"""What is said of an option or a command that is not there: the nearest one, or the one that other tools call so."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click

# Names that other tools use -> the options that mean it here; the first that a command has is suggested.
ALIASES = {
    "amp": ("precision",),
    "arch": ("frontend",),
    "audio-dir": ("audio-root",),
    "batch": ("batch-size",),
    "bf16": ("precision",),
    "bs": ("batch-size",),
    "checkpoint": ("init-from", "run", "model"),
    "ckpt": ("init-from", "run", "model"),
    "csv": ("catalog", "annotations"),
    "d": ("dataset",),
    "data": ("dataset",),
    "data-dir": ("dataset",),
    "device": ("strategy",),
    "devices": ("strategy",),
    "distributed": ("strategy",),
    "e": ("epochs",),
    "epoch": ("epochs",),
    "finetune": ("init-from",),
    "fp16": ("precision",),
    "gpu": ("strategy",),
    "gpus": ("strategy",),
    "grad-clip": ("clip-norm",),
    "hop": ("hop-length",),
    "input": ("catalog", "dataset", "run"),
    "j": ("workers",),
    "jobs": ("workers",),
    "labels": ("label-set",),
    "log-dir": ("out",),
    "logdir": ("out",),
    "lr": ("learning-rate",),
    "manifest": ("catalog",),
    "max-epochs": ("epochs",),
    "mels": ("n-mels",),
    "model": ("frontend", "run"),
    "n-jobs": ("workers",),
    "num-epochs": ("epochs",),
    "num-workers": ("workers",),
    "o": ("out", "html", "dataset"),
    "out": ("html", "dataset"),
    "output": ("out", "html", "dataset"),
    "output-dir": ("out", "dataset"),
    "patience": ("stop-epochs",),
    "pretrained": ("init-from",),
    "procs": ("workers",),
    "save-dir": ("out",),
    "tags": ("label-set",),
    "threads": ("workers",),
    "warmup": ("warmup-steps",),
    "wd": ("weight-decay",),
    "weights": ("init-from", "run", "model"),
    "win-length": ("n-fft",),
    "y": ("yes",),
}
_OPTION_LIKENESS = 0.6  # of difflib's ratio, as in its own default


def usage_words(error: click.UsageError) -> str:
    """The words of a usage error in one line; of an option or command that is not there, with what may be meant."""
    command = error.ctx.command if error.ctx is not None else None
    if isinstance(error, click.NoSuchOption) and command is not None:
        known = [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]
        advice = suggestion(error.option_name, [name for name in known if name.startswith("--")])
        if not advice and isinstance(command, click.Group):
            advice = "; options stand behind the name of a command"
        return f"No such option {error.option_name}{advice}"
    return " ".join(error.format_message().split())  # click lists choices on lines of their own


def suggestion(option: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown option: the one of `known` that it may mean, or nothing.

    Args:
        option: with its dashes.
        known: options with their dashes.
    """
    spelling = {_plain(name): name for name in known}
    meant = [spelling[name] for name in ALIASES.get(_plain(option), ()) if name in spelling]
    near = difflib.get_close_matches(_plain(option), spelling, n=1, cutoff=_OPTION_LIKENESS)
    found = [*meant, *(spelling[name] for name in near)]
    return f"; did you mean {found[0]}?" if found else ""


def _plain(option: str) -> str:
    """An option without its dashes and its writing: `--batch_size` is `batch-size`."""
    return option.lstrip("-").replace("_", "-").casefold()
