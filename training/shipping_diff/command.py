"""The options of `compare --tags`, and the command itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from schemas.console.errors import EXIT_REGRESSION, UserError
from schemas.console.printer import print_either

_OF_RUNS = ("split", "label_set", "metric", "max_regression", "stage")
_OF_TAGS = ("by", "catalog", "threshold", "max_flips", "html")


def tags_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates the command `compare` with the options for folders of tags."""
    for option in reversed(
        (
            click.option("--tags", is_flag=True, help="Compare two folders of tags, OLD_TAGS and NEW_TAGS."),
            click.option(
                "--by", metavar="group|COLUMN", help="Also compare groups, or the values of a catalog's column."
            ),
            click.option("--catalog", help="Catalog with that column [default: the one that was tagged]."),
            click.option(
                "--threshold",
                type=float,
                help="Lowest score with which a track has a tag [default: those of each model, otherwise 0.5].",
            ),
            click.option("--max-flips", type=float, help="Exit 3 if a larger share of all tags of all tracks flips."),
            click.option("--html", help="Also write an HTML page with players to this file, local or gs://."),
        )
    ):
        command = option(command)
    return command


def require_options_of_one_kind() -> None:
    """Raise UserError for an option of folders of tags without --tags, or one of runs with it."""
    context = click.get_current_context()
    is_of_tags = context.params["tags"]
    for name in _OF_RUNS if is_of_tags else _OF_TAGS:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            words = (
                "without --tags; it is about runs" if is_of_tags else "only with --tags; it is about folders of tags"
            )
            raise UserError(f"{option}: expected {words}; leave out one of the two, see `compare --help`")


def compare_tags_command(
    old: str,
    new: str,
    *,
    as_json: bool,
    by: str | None,
    catalog: str | None,
    threshold: float | None,
    max_flips: float | None,
    html: str | None,
) -> None:
    """Compare two folders of tags, print the result, and exit 3 if too many tags flip."""
    from training.shipping_diff.compare_tags import DiffOptions, compare_tags
    from training.shipping_diff.page import write_page
    from training.shipping_diff.result import gate_of, require_share
    from training.shipping_diff.result_json import diff_json
    from training.shipping_diff.summary import diff_report

    if catalog is not None and by is None and html is None:
        raise UserError("--catalog: expected only with --by, whose column it has, or with --html, whose audio it names")
    require_share(max_flips)
    diff = compare_tags(old, new, DiffOptions(by, catalog, threshold))
    gate = None if max_flips is None else gate_of(diff, max_flips)
    if html is not None:
        write_page(diff, html, gate, catalog=catalog)
    print_either(as_json, lambda: diff_json(diff, gate), lambda: diff_report(diff, gate, html))
    if gate is not None and not gate.passed:
        sys.exit(EXIT_REGRESSION)
