"""The commands `import jamendo|mtat|msd|table|scores`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from pipeline.help_pages import IMPORT_EXAMPLE, IMPORT_PAGES
from schemas.console.commands import Group
from schemas.console.printer import print_report


def _with_common_arguments(command: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in (
        click.option("--out", required=True, help="Folder for the catalog, the annotations and the label set."),
        click.option("--audio-root", required=True, help="Folder or bucket to which the published paths refer."),
        click.argument("files", nargs=-1, required=True),
    ):
        command = decorate(command)
    return command


@click.group("import", cls=Group, pages=IMPORT_PAGES, example=IMPORT_EXAMPLE)
def import_group() -> None:
    """Turn published annotation files into a catalog and annotations, with the published split and tag order."""


@import_group.command("jamendo")
@_with_common_arguments
def import_jamendo_command(files: tuple[str, ...], audio_root: str, out: str) -> None:
    """MTG-Jamendo: autotagging*.tsv, split files, a tag list, tag_map.json."""
    from pipeline.importers.jamendo import import_jamendo
    from pipeline.importers.summary import import_report

    print_report(import_report(import_jamendo(files, audio_root, out)))


@import_group.command("mtat")
@_with_common_arguments
def import_mtat_command(files: tuple[str, ...], audio_root: str, out: str) -> None:
    """MagnaTagATune: annotations_final.csv and clip_info_final.csv, or published split lists and label matrices."""
    from pipeline.importers.magnatagatune import import_mtat
    from pipeline.importers.summary import import_report

    print_report(import_report(import_mtat(files, audio_root, out)))


@import_group.command("msd")
@_with_common_arguments
@click.option(
    "--path-pattern",
    help="Path of a track below the root: {id} and its third to fifth letter, {a}, {b}, {c} [default: {id}.mp3].",
)
def import_msd_command(files: tuple[str, ...], audio_root: str, out: str, path_pattern: str | None) -> None:
    """Million Song Dataset, Last.fm tags: id lists, .npy matrices, a tag list, unique_tracks.txt."""
    from pipeline.importers.msd import import_msd
    from pipeline.importers.path_pattern import DEFAULT_PATTERN
    from pipeline.importers.summary import import_report

    print_report(import_report(import_msd(files, audio_root, out, path_pattern or DEFAULT_PATTERN)))


@import_group.command("table")
@_with_common_arguments
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="WHAT=COLUMN",
    help="Meaning of a column: track_id and uri; group, split, duration, tags, tag, value. Repeat.",
)
@click.option("--separator", default="|", show_default=True, help="Separator of the tags in a cell.")
def import_table_command(
    files: tuple[str, ...], audio_root: str, out: str, columns: tuple[str, ...], separator: str
) -> None:
    """Any CSV, TSV, JSON Lines or Parquet tables, joined on the track id."""
    from pipeline.importers.summary import import_report
    from pipeline.importers.table import import_table
    from pipeline.importers.table_columns import parse_columns

    print_report(import_report(import_table(files, audio_root, out, parse_columns(columns), separator)))


@import_group.command("scores")
@click.option("--out", required=True, help="Folder for the annotations and the label set.")
@click.argument("tags")
def import_scores_command(tags: str, out: str) -> None:
    """The scores of a folder of tags, as graded annotations."""
    from pipeline.importers.scores import import_scores, scores_report

    print_report(scores_report(import_scores(tags, out)))
