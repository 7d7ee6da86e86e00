"""Command line of the pipeline: python -m pipeline.run COMMAND, or tagscale-pipeline where it is installed."""

from __future__ import annotations

import click

from schemas.commandline import run_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """From a catalog of audio files to feature shards, label sets and tags."""


@cli.command("build", context_settings={"ignore_unknown_options": False})
@click.option("--catalog", required=True, help="CSV, JSON Lines or Parquet with track_id and uri.")
@click.option("--dataset", required=True, help="Folder of the dataset, new or begun before; local or gs://.")
@click.option("--workers", type=int, help="Local worker processes [default: one per core].")
@click.option("--shards", type=int, help="Shards of a new generation [default: by size].")
@click.option("--limit", type=int, help="Take the catalog's first rows only.")
@click.option("--excerpt", help="center:30, start:30 or full [default: the dataset's own; center:30 for a new one].")
@click.option("--families", help="logmel,waveform or one of them [default: the dataset's own; both for a new one].")
@click.option("--decoder", type=click.Choice(["auto", "tfio"]), default="auto", show_default=True)
@click.option(
    "--retry-rejects",
    type=click.Choice(["none", "transient", "all"]),
    default="none",
    show_default=True,
    help="Try rejected tracks again, in a generation of their own.",
)
@click.option("--max-reject-rate", type=float, default=0.05, show_default=True, help="Fail above this share.")
@click.option("--allow-other-versions", is_flag=True, help="Resume a generation begun with other library versions.")
@click.argument("beam_options", nargs=-1, type=click.UNPROCESSED, metavar="[-- BEAM OPTIONS]")
def build_command(catalog: str, dataset: str, families: str | None, **options: object) -> None:
    """Decode a catalog into feature shards. The same command again resumes; with a grown catalog it adds to them."""
    from pipeline.build.build import BuildOptions, build
    from pipeline.build.summary import print_build_summary

    chosen = None if families is None else tuple(name.strip() for name in families.split(","))
    print_build_summary(build(catalog, dataset, BuildOptions(families=chosen, **options)))  # type: ignore[arg-type]


def main() -> None:
    """Entry point of `python -m pipeline.run` and tagscale-pipeline."""
    run_command(cli, "pipeline.run")


if __name__ == "__main__":
    main()
