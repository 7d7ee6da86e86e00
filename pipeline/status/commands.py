"""The command `status`."""

from __future__ import annotations

import click

from pipeline.command_options import json_option
from pipeline.help_pages import PAGES
from schemas.console.commands import Command
from schemas.console.printer import print_either


@click.command("status", cls=Command, page=PAGES["status"])
@click.option("--dataset", help="Folder of the dataset; or")
@click.option("--tags", help="folder of the tags to look at instead.")
@json_option
def status_command(dataset: str | None, tags: str | None, as_json: bool) -> None:
    """Show how far a build, a derivation or a tagging is, from its done marks alone: on any engine, from any machine."""
    if (dataset is None) == (tags is None):
        raise click.UsageError("expected either --dataset or --tags")
    from pipeline.status.status import status_of
    from pipeline.status.summary import status_fields, status_report

    works, root = status_of(dataset=dataset, tags=tags), dataset or tags or ""
    print_either(
        as_json,
        lambda: status_fields(root, works),
        lambda: status_report(root, works),
    )
