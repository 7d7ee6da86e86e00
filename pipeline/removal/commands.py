"""The commands `remove` and `prune` of the pipeline's command line."""

from __future__ import annotations

import click

from pipeline.command_options import dataset_option
from pipeline.help_pages import PAGES
from schemas.console.commands import Command
from schemas.console.printer import print_report


@click.command("remove", cls=Command, page=PAGES["remove"])
@click.option("--dataset", help="Folder of the dataset, whose tags are changed too; or")
@click.option("--tags", help="folder of tags alone.")
@click.option("--tracks", required=True, help="Table with a column track_id, or a .txt file with one id per line.")
@click.option("--purge", is_flag=True, help="Also erase their features from the disk.")
def remove_command(dataset: str | None, tags: str | None, tracks: str, purge: bool) -> None:
    """Take tracks out of a dataset and its tags: at once for every reader, and with --purge from the disk."""
    from pipeline.removal.remove import read_ids, remove
    from pipeline.removal.summary import removal_report, taken_report
    from pipeline.removal.tagged import take_out
    from schemas.console.progress import Progress

    if tags is not None and dataset is None:
        print_report(taken_report(take_out(tags, read_ids(tracks), purge=purge)))
        return
    if dataset is None or tags is not None:
        raise click.UsageError("expected either --dataset or --tags")
    with Progress("purge", 0, "payloads") as progress:
        summary = remove(dataset, tracks, purge=purge, on_progress=progress.update_of)
    print_report(removal_report(summary, dataset))


@click.command("prune", cls=Command, page=PAGES["prune"])
@dataset_option
@click.option("--orphans", is_flag=True, help="Remove files that no manifest names.")
@click.option("--fingerprints", is_flag=True, help="Remove feature folders that dataset.json does not name.")
@click.option("--label-versions", is_flag=True, help="Remove all but the newest versions of each label set.")
@click.option("--unfinished", is_flag=True, help="Give up the generation that a stopped or refused build has begun.")
@click.option("--features", multiple=True, help="Remove these derived features, by name. May be repeated.")
@click.option(
    "--keep", type=click.IntRange(1), default=1, show_default=True, help="Number of versions to keep of each label set."
)
@click.option("--yes", is_flag=True, help="Really remove; without it, the command only shows what it would remove.")
def prune_command(
    dataset: str,
    orphans: bool,
    fingerprints: bool,
    label_versions: bool,
    unfinished: bool,
    features: tuple[str, ...],
    keep: int,
    yes: bool,
) -> None:
    """Show what a dataset no longer needs; --yes removes it. Without options of what to remove, the first three apply."""
    from pipeline.removal.prune import KINDS, prune
    from pipeline.removal.summary import prune_report

    chosen = dict(zip(KINDS, (orphans, fingerprints, label_versions), strict=True))
    every = not features and not unfinished and not any(chosen.values())
    kinds = [kind for kind, is_chosen in chosen.items() if is_chosen or every]
    found = prune(dataset, kinds, keep_versions=keep, derived=features, unfinished=unfinished, delete=yes)
    print_report(prune_report(found, dataset, removed=yes))
