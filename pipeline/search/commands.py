"""The command `similar`."""

from __future__ import annotations

import click

from pipeline.help_pages import PAGES
from schemas.console.commands import Command
from schemas.console.printer import print_either


@click.command("similar", cls=Command, page=PAGES["similar"])
@click.option("--index", "tags", required=True, help="Folder of tags that `tag` wrote, local or gs://.")
@click.option("--track", help="Id of a track in it; or")
@click.option("--file", "file", help="an audio file, local or gs://, which --model scores.")
@click.option("--model", help="SavedModel with which the catalog was tagged; only with --file.")
@click.option("--count", type=int, default=10, show_default=True, help="Number of tracks to find.")
@click.option(
    "--tag",
    "conditions",
    multiple=True,
    metavar="'NAME>SCORE'",
    help="Only tracks with such a score: >, >=, < or <=. May be repeated; all must hold.",
)
@click.option("--not-same-group", is_flag=True, help="Leave out the group (artist) of the track.")
@click.option("--not-same-audio", is_flag=True, help="Leave out tracks with the very same audio.")
@click.option("--exact", is_flag=True, help="Compare every track, also of more than a million.")
@click.option("--html", help="Also write an HTML page with players to this file, local or gs://.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def similar_command(
    tags: str,
    track: str | None,
    file: str | None,
    model: str | None,
    html: str | None,
    as_json: bool,
    **options: object,
) -> None:
    """Find the tracks nearest to a track or an audio file by embedding, among those that pass the filters."""
    from pipeline.search.audio_places import audio_uris
    from pipeline.search.page import write_page
    from pipeline.search.similar import SimilarOptions, similar
    from pipeline.search.summary import similar_fields, similar_report
    from schemas.tags import Tags

    chosen = SimilarOptions(**options)  # type: ignore[arg-type]
    found = similar(tags, track=track, file=file, model=model, options=chosen)
    if html is not None:
        write_page(found, html)
    print_either(
        as_json,
        lambda: similar_fields(found, audio_uris(Tags.open(found.tags), found.neighbours)),
        lambda: similar_report(found),
    )
