"""The command `tag`, and what `verify --tags` does."""

from __future__ import annotations

import click

from pipeline.command_options import (
    decoder_option,
    max_seconds_option,
    other_versions_option,
    reject_rate_option,
    retry_option,
    where_it_runs,
    workers_option,
)
from pipeline.help_pages import PAGES
from schemas.console.commands import Command
from schemas.console.printer import print_report


@click.command("tag", cls=Command, page=PAGES["tag"])
@click.option("--model", required=True, help="Model that `export` wrote, local or gs://.")
@click.option("--catalog", help="CSV, JSON Lines or Parquet with track_id and uri, whose audio is decoded; or")
@click.option("--dataset", help="dataset whose stored features are read, so that nothing is decoded; or")
@click.option("--embeddings", metavar="TAGS", help="tags by a model with the same trunk: only the head scores.")
@click.option("--out", required=True, help="Folder of the tags, local or gs://: a new one, or one to resume or add to.")
@workers_option
@click.option("--shards", type=int, help="Shards of a new generation [default: by size; with --dataset, its own].")
@click.option("--limit", type=int, help="Use only the first rows of the catalog.")
@click.option(
    "--excerpt",
    help="Part of each track to score: full, center:30 or start:30 [default: that of the tags; full for new ones].",
)
@click.option(
    "--runtime",
    default="tensorflow",
    show_default=True,
    type=click.Choice(["tensorflow", "onnx"]),
    help="What runs the model: TensorFlow a SavedModel, onnxruntime an ONNX model.",
)
@click.option("--no-embeddings", is_flag=True, help="Store scores only.")
@decoder_option
@max_seconds_option
@retry_option
@reject_rate_option
@other_versions_option
@where_it_runs
def tag_command(
    model: str,
    catalog: str | None,
    dataset: str | None,
    embeddings: str | None,
    out: str,
    no_embeddings: bool,
    **options: object,
) -> None:
    """Score a catalog with a model: tags and embeddings of every track. The same command resumes, and adds new tracks."""
    from pipeline.tagging.options import TagOptions
    from pipeline.tagging.summary import tag_report
    from pipeline.tagging.tag import tag

    chosen = TagOptions(embeddings=not no_embeddings, **options)  # type: ignore[arg-type]
    inputs = {"catalog": catalog, "dataset": dataset, "embeddings": embeddings}
    print_report(tag_report(tag(model, out, **inputs, options=chosen)))


def verify_tags_or_raise(tags: str) -> None:
    """Check tags and print what was found; raises DatasetError if something does not reconcile."""
    from pipeline.tagging.verify_tags import tags_report, verify_tags
    from schemas.console.errors import DatasetError
    from schemas.console.progress import Progress

    with Progress("verify", 0, "files") as progress:
        found = verify_tags(tags, on_progress=progress.update_of)
    print_report(tags_report(found, tags))
    if found.problems:
        raise DatasetError(
            f"{tags}: {len(found.problems)} problems; mend each as it says, or restore its file from a copy"
        )
