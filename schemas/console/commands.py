"""What all commands have in common: options for how much is printed, and help in groups that ends with an example."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from schemas.console.terminal import say
from schemas.console.verbosity import Verbosity, set_verbosity

JSON_OPTION = "--log-json"
_MESSAGES = "Messages"  # the group of the options that every command has
_PACKAGES = ("schemas", "pipeline", "training")


@dataclasses.dataclass(frozen=True)
class HelpPage:
    """How the help of a command is laid out.

    Attributes:
        example: words that follow the command's name, with which it can be typed as it stands.
        groups: title -> the options below it, such as `--catalog`, in the order of the command's own.
    """

    example: str
    groups: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


class Command(click.Command):
    """A command with --quiet, --verbose and --log-json, whose help shows its options in groups and ends with an example.

    Args:
        page: how its help is laid out.
        keywords: of click.Command.
    """

    def __init__(self, *args: Any, page: HelpPage, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.page = page
        self.params += _message_options()

    def group_of(self, parameter: click.Parameter) -> str:
        """The title that an option of this command stands below."""
        for title, names in self.page.groups.items():
            if set(names) & set(parameter.opts):
                return title
        return _MESSAGES

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, a section for each group."""
        rows: dict[str, list[tuple[str, str]]] = {title: [] for title in (*self.page.groups, _MESSAGES)}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                rows[self.group_of(parameter)].append(record)
        for title, records in rows.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        _write_example(f"{ctx.command_path} {self.page.example}", formatter)

    def invoke(self, ctx: click.Context) -> Any:
        if ctx.meta.get(_key("verbose")):
            _log_to_stderr()
        return super().invoke(ctx)


class Group(click.Group):
    """Commands, or groups of them, with a page of help for each.

    Args:
        pages: name of a command -> its page.
        example: words that follow the group's name.
        keywords: of click.Group.
    """

    def __init__(self, *args: Any, pages: Mapping[str, HelpPage], example: str, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.pages, self.example = pages, example

    def command(self, name: str, **keywords: Any) -> Callable[..., Any]:  # type: ignore[override]
        """Decorates a function that becomes the command of this name."""
        return super().command(name, cls=Command, page=self.pages[name], **keywords)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        _write_example(f"{ctx.command_path} {self.example}", formatter)


def chosen_flags(ctx: click.Context) -> list[str]:
    """The options for messages that a command was started with, for a command that it starts."""
    return [_HELP[name][0] for name in _HELP if ctx.meta.get(_key(name))]


# Field of Verbosity -> option and what it does.
_HELP = {
    "quiet": ("--quiet", "Print nothing but errors, warnings and what --json asks for."),
    "verbose": ("--verbose", "Also log the files that are read and written, and what Beam logs."),
    "as_json": (JSON_OPTION, "Print each line as one JSON object."),
}


def _key(name: str) -> str:
    return f"{__name__}.{name}"


def _message_options() -> list[click.Option]:
    return [
        click.Option([option], is_flag=True, expose_value=False, is_eager=True, help=words, callback=_taking(name))
        for name, (option, words) in _HELP.items()
    ]


def _taking(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def take(ctx: click.Context, _: click.Parameter, is_on: bool) -> None:
        ctx.meta[_key(name)] = is_on
        chosen = Verbosity(**{field: ctx.meta.get(_key(field), False) for field in _HELP})
        if chosen.quiet and chosen.verbose:
            raise click.UsageError("expected --quiet or --verbose, received both; leave one out", ctx)
        set_verbosity(chosen)

    return take


def _write_example(command: str, formatter: click.HelpFormatter) -> None:
    formatter.write_paragraph()
    formatter.write(f"Example:\n  {command}\n")


class _Saying(logging.Handler):
    """Prints log records as all other lines are printed."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "debug" if record.levelno < logging.WARNING else "warning"
        say(f"{level}: {record.name}: {record.getMessage()}", file=sys.stderr, level=level)  # type: ignore[arg-type]


def _log_to_stderr() -> None:
    root = logging.getLogger()
    if not any(isinstance(handler, _Saying) for handler in root.handlers):
        root.addHandler(_Saying())
    root.setLevel(logging.INFO)
    for package in _PACKAGES:
        logging.getLogger(package).setLevel(logging.DEBUG)
