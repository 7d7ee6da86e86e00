"""Options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from pipeline.audio.limits import MAX_SECONDS

catalog_option = click.option("--catalog", required=True, help="CSV, JSON Lines or Parquet with track_id and uri.")
dataset_option = click.option("--dataset", required=True, help="Folder of the dataset.")
workers_option = click.option("--workers", type=int, help="Local worker processes [default: one per core].")
decoder_option = click.option("--decoder", type=click.Choice(["auto", "tfio"]), default="auto", show_default=True)
max_seconds_option = click.option(
    "--max-seconds", type=float, default=MAX_SECONDS, show_default=True, help="Reject tracks that are longer."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
other_versions_option = click.option(
    "--allow-other-versions", is_flag=True, help="Resume a generation begun with other library versions."
)
retry_option = click.option(
    "--retry-rejects",
    type=click.Choice(["none", "transient", "all"]),
    default="none",
    show_default=True,
    help="Retry rejected tracks, in a new generation.",
)
reject_rate_option = click.option(
    "--max-reject-rate",
    type=float,
    default=0.05,
    show_default=True,
    help="Fail if a larger share of the tracks is rejected.",
)


def where_it_runs(command: Callable[..., None]) -> Callable[..., None]:
    """Decorator that adds the options on where a job runs; the command gets `detach` and `beam_options`."""

    @functools.wraps(command)
    def run(*, engine: str | None, engine_config: str | None, beam_options: tuple[str, ...], **options: Any) -> None:
        from pipeline.jobs.engines import engine_options

        command(beam_options=engine_options(engine, engine_config, beam_options), **options)

    for option in (
        click.argument("beam_options", nargs=-1, type=click.UNPROCESSED, metavar="[-- BEAM OPTIONS]"),
        click.option("--detach", is_flag=True, help="Leave the job to the engine instead of waiting for it."),
        click.option("--engine-config", help="YAML file with the settings of the engine, local or gs://."),
        click.option(
            "--engine",
            type=click.Choice(["local", "flink", "spark", "dask", "dataflow"]),
            help="Where the job runs [default: here, or the --runner after --].",
        ),
    ):
        run = option(run)
    return run
