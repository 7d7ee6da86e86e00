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
from pipeline.labels.commands import diff_command, label_command, split_command
from pipeline.removal.commands import prune_command, remove_command
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


cli.add_command(split_command)
cli.add_command(label_command)
cli.add_command(diff_command)
cli.add_command(import_group)
cli.add_command(remove_command)
cli.add_command(prune_command)
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
