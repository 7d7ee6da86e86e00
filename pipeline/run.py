"""Command line of the pipeline: python -m pipeline.run COMMAND, or tagscale-pipeline where it is installed."""

from schemas.console.interpreter import require_packages, require_python

require_python()  # before anything is imported that an old one does not understand

import os
import sys

from schemas.console.stopping import stop_on_signals

if __name__ == "__main__" or os.path.basename(sys.argv[0]) == "tagscale-pipeline":
    stop_on_signals()  # before the other imports, since a user may press ^C while they run

require_packages()  # before anything is imported that may be missing

import click

from pipeline.command_options import (
    catalog_option,
    dataset_option,
    decoder_option,
    json_option,
    max_seconds_option,
    other_versions_option,
    reject_rate_option,
    retry_option,
    where_it_runs,
    workers_option,
)
from pipeline.estimate.options import (
    DEFAULT_SAMPLE,
    DEFAULT_WORKERS,
    MEMORY_GB,
    MEMORY_GB_HOUR,
    STORAGE_GB_MONTH,
    VCPU_HOUR,
)
from pipeline.help_pages import EXAMPLE, PAGES
from pipeline.importers.commands import import_group
from pipeline.search.commands import similar_command
from pipeline.status.commands import status_command
from pipeline.tagging.commands import tag_command, verify_tags_or_raise
from schemas.console.commandline import run_command
from schemas.console.commands import Group
from schemas.console.printer import print_either, print_report
from schemas.console.shown_commands import pipeline_command


@click.group(cls=Group, pages=PAGES, example=EXAMPLE, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """From a catalog of audio files to feature shards, label sets and tags."""


cli.add_command(import_group)
cli.add_command(tag_command)
cli.add_command(similar_command)
cli.add_command(status_command)


@cli.command("build", context_settings={"ignore_unknown_options": False})
@catalog_option
@click.option("--dataset", required=True, help="Dataset folder, local or gs://: a new one, or one to resume or add to.")
@workers_option
@click.option("--shards", type=int, help="Shards of a new generation [default: by size].")
@click.option("--limit", type=int, help="Use only the first rows of the catalog.")
@click.option(
    "--excerpt",
    help="Part of each track to keep: center:30, start:30 or full [default: the dataset's own; center:30 for a new one].",
)
@click.option(
    "--families",
    help="Features to store: logmel,waveform or one of them [default: the dataset's own; both for a new one].",
)
@decoder_option
@click.option("--strict", is_flag=True, help="Reject tracks that are truncated or corrupt [default: keep and flag].")
@max_seconds_option
@retry_option
@reject_rate_option
@other_versions_option
@where_it_runs
def build_command(catalog: str, dataset: str, families: str | None, **options: object) -> None:
    """Decode a catalog into feature shards. The same command resumes; with a grown catalog it adds to them."""
    from pipeline.decode.build import build
    from pipeline.decode.options import BuildOptions, parse_families
    from pipeline.decode.summary import build_report

    summary = build(catalog, dataset, BuildOptions(families=parse_families(families), **options))  # type: ignore[arg-type]
    print_report(build_report(summary))


@cli.command("derive")
@dataset_option
@click.option("--n-mels", "mels", type=int, help="Mel bands [default: 96].")
@click.option("--n-fft", type=int, help="Samples of the window and the transform [default: 512].")
@click.option("--hop-length", type=int, help="Samples between frames [default: 256].")
@workers_option
@other_versions_option
@where_it_runs
def derive_command(dataset: str, **options: object) -> None:
    """Make another log-mel family from the stored waveforms, without the audio. The same command resumes."""
    from pipeline.derive.derive import DeriveOptions, derive
    from pipeline.derive.summary import derive_report

    summary = derive(dataset, DeriveOptions(**options))  # type: ignore[arg-type]
    print_report(derive_report(summary))


@cli.command("estimate")
@catalog_option
@click.option(
    "--sample", type=int, default=DEFAULT_SAMPLE, show_default=True, help="Number of tracks to decode on this machine."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed for the choice of tracks.")
@click.option("--excerpt", help="Part of each track to keep: center:30, start:30 or full [default: center:30].")
@click.option("--families", help="Features to store: logmel,waveform or one of them [default: both].")
@click.option("--shards", type=int, help="Shards of the build [default: by size].")
@decoder_option
@click.option("--strict", is_flag=True, help="Reject tracks that are truncated or corrupt.")
@max_seconds_option
@click.option(
    "--workers",
    default=",".join(map(str, DEFAULT_WORKERS)),
    show_default=True,
    help="Worker counts to estimate time and cost for; a worker has one vCPU.",
)
@click.option(
    "--memory-gb", type=float, default=MEMORY_GB, show_default=True, help="Memory of a worker (n1-standard's)."
)
@click.option(
    "--price-vcpu-hour",
    "vcpu_hour",
    type=float,
    default=VCPU_HOUR,
    show_default=True,
    help="Dollars; the default, as with the other prices, is Google's list price in us-central1: Dataflow batch workers.",
)
@click.option("--price-memory-gb-hour", "memory_gb_hour", type=float, default=MEMORY_GB_HOUR, show_default=True)
@click.option(
    "--price-storage-gb-month",
    "storage_gb_month",
    type=float,
    default=STORAGE_GB_MONTH,
    show_default=True,
    help="Standard storage. A GB has 2^30 bytes.",
)
@json_option
def estimate_command(
    catalog: str,
    sample: int,
    seed: int,
    families: str | None,
    workers: str,
    memory_gb: float,
    as_json: bool,
    vcpu_hour: float,
    memory_gb_hour: float,
    storage_gb_month: float,
    **build: object,
) -> None:
    """Estimate core-hours, bytes, time and cost of a build from a sample of the catalog, decoded on this machine."""
    from pipeline.decode.options import BuildOptions, parse_families
    from pipeline.estimate.estimate import estimate
    from pipeline.estimate.options import EstimateOptions, Prices, parse_workers
    from pipeline.estimate.summary import estimate_fields, estimate_report

    meant = BuildOptions(families=parse_families(families), **build)  # type: ignore[arg-type]
    prices = Prices(vcpu_hour, memory_gb_hour, storage_gb_month)
    options = EstimateOptions(sample, seed, parse_workers(workers), memory_gb, prices)
    found = estimate(catalog, meant, options)
    print_either(
        as_json,
        lambda: estimate_fields(found, meant, options),
        lambda: estimate_report(found, meant, options),
        sort_keys=True,
    )


@cli.command("split")
@dataset_option
@click.option("--name", required=True, help="Name of the split.")
@click.option("--ratios", help="Shares of train, validation, test [default: 80,10,10].")
@click.option("--salt", default="", help="Text that changes which groups fall on which side.")
@click.option("--from-catalog", is_flag=True, help="Take the catalog's split column.")
@click.option(
    "--stratify", multiple=True, help="Annotation file; each side gets its share of every tag. May be repeated."
)
def split_command(
    dataset: str, name: str, ratios: str | None, salt: str, from_catalog: bool, stratify: tuple[str, ...]
) -> None:
    """Make a split by hash of the group (artist), stratified, or from the catalog; a group never straddles two sides."""
    from pipeline.labels.split_dataset import split_dataset
    from pipeline.labels.splits import parse_ratios
    from pipeline.labels.summary import split_report

    shares = parse_ratios(ratios) if ratios else None
    split = split_dataset(dataset, name, shares, salt=salt, from_catalog=from_catalog, stratify=stratify)
    print_report(split_report(split, dataset))


@cli.command("label")
@dataset_option
@click.option(
    "--annotations",
    required=True,
    multiple=True,
    help="Annotation file. May be repeated; an earlier file takes precedence.",
)
@click.option("--label-set", required=True, help="YAML file that defines the tags.")
@click.option(
    "--split",
    help="A split made before [default: the one that the label set lies on; for a new one `split:` of its file, or else the "
    "split default, made if need be].",
)
@click.argument("more_annotations", nargs=-1)
def label_command(
    dataset: str, annotations: tuple[str, ...], label_set: str, split: str | None, more_annotations: tuple[str, ...]
) -> None:
    """Lay a label set and its vocabulary over a dataset. Nothing is decoded, and no feature file is opened."""
    from pipeline.labels.overlay import lay_labels
    from pipeline.labels.summary import label_report

    summary = lay_labels(dataset, [*annotations, *more_annotations], label_set, split)
    print_report(label_report(summary, dataset))


@cli.command("diff")
@dataset_option
@json_option
@click.argument("before")
@click.argument("after")
def diff_command(dataset: str, before: str, after: str, as_json: bool) -> None:
    """Compare two label versions, each NAME (its newest) or NAME@HASH: tags, and the tracks that each gained or lost."""
    from pipeline.labels.diff import label_diff
    from pipeline.labels.summary import diff_report
    from schemas.dataset import Dataset
    from schemas.label_version import open_labels

    opened = Dataset.open(dataset)
    diff = label_diff(open_labels(opened, before), open_labels(opened, after))
    print_either(as_json, diff.to_dict, lambda: diff_report(diff))


@cli.command("export-records")
@dataset_option
@click.option("--label-set", required=True, help="NAME for its newest version, or NAME@HASH.")
@click.option("--out", required=True, help="Export folder, local or gs://: a new one, or one to resume.")
@click.option(
    "--features", multiple=True, help="logmel, waveform, or derived features by name; repeat [default: all built]."
)
@workers_option
@where_it_runs
def export_records_command(dataset: str, label_set: str, out: str, **options: object) -> None:
    """Write features, labels and split as self-contained TFRecords for other tools. The same command resumes."""
    from pipeline.export_records.export import ExportOptions, export_records
    from pipeline.export_records.summary import export_report

    summary = export_records(dataset, label_set, out, ExportOptions(**options))  # type: ignore[arg-type]
    print_report(export_report(summary))


@cli.command("verify")
@click.option("--dataset", help="Folder of the dataset; or")
@click.option("--tags", help="folder of the tags to check instead.")
@click.option("--deep", is_flag=True, help="Parse every record of a dataset; those of tags always are.")
def verify_command(dataset: str | None, tags: str | None, deep: bool) -> None:
    """Check that a dataset, or tags, are whole. The exit code is 0 only if everything reconciles."""
    if tags is not None and dataset is None:
        verify_tags_or_raise(tags)
        return
    if dataset is None or tags is not None:
        raise click.UsageError("expected either --dataset or --tags")
    from pipeline.verify import verification_report, verify
    from schemas.console.errors import DatasetError
    from schemas.console.progress import Progress

    with Progress("verify", 0, "payloads") as progress:
        found = verify(dataset, deep=deep, on_progress=progress.update_of)
    print_report(verification_report(found, dataset))
    if found.problems:
        raise DatasetError(
            f"{dataset}: {len(found.problems)} problems; mend each as it says, or restore its file from a copy"
        )


@cli.command("info")
@dataset_option
@click.option(
    "--label-set", help="Labels to examine, NAME or NAME@HASH [default: the newest version of each label set]."
)
@click.option("--html", help="Also write an HTML page to this file, local or gs://.")
@json_option
def info_command(dataset: str, label_set: str | None, html: str | None, as_json: bool) -> None:
    """Show what a dataset holds and whether its labels are healthy."""
    from pipeline.info.overview import info
    from pipeline.info.page import write_page
    from pipeline.info.summary import info_fields, info_report

    overview = info(dataset, label_set)
    if html is not None:
        write_page(overview, html)
    print_either(as_json, lambda: info_fields(overview), lambda: info_report(overview), sort_keys=True)


@cli.command("remove")
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


@cli.command("prune")
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


@cli.command("corpus")
@click.option("--out", required=True, help="Local folder for audio, catalog.csv and annotations.csv.")
@click.option("--tracks", type=int, required=True, help="Number of tracks to render.")
@click.option("--seed", type=int, required=True, help="Seed for the music.")
@click.option("--seconds", type=float, default=30.0, show_default=True, help="Length of a track.")
def corpus_command(out: str, tracks: int, seed: int, seconds: float) -> None:
    """Render a labelled demonstration corpus with a General MIDI soundfont."""
    from pipeline.corpus.render import render_corpus
    from pipeline.corpus.summary import corpus_report
    from schemas.console.progress import Progress

    with Progress("render", tracks, "tracks") as progress:
        summary = render_corpus(out, tracks, seed, seconds, progress=progress.update_of)
    print_report(corpus_report(summary))


def main() -> None:
    """Entry point of `python -m pipeline.run` and tagscale-pipeline."""
    run_command(cli, pipeline_command(), "tagscale-pipeline")


if __name__ == "__main__":
    main()
