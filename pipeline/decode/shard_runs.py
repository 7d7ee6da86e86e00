"""Run the unfinished shards of a generation, with its tracks as the measure of progress."""

from __future__ import annotations

from pipeline.decode.options import CatalogOptions
from pipeline.jobs.runner import run_shards
from pipeline.jobs.shard_job import Job, unfinished_shards
from schemas.console.progress import Progress
from schemas.manifests import GenerationEntry


def run_unfinished(
    job: Job, entry: GenerationEntry, what: str, options: CatalogOptions, *, shown_by: str
) -> dict[str, int]:
    """Write all unfinished shards.

    Args:
        job: Job of the generation.
        entry: The generation.
        what: Name of the work, which progress shows.
        options: Number of workers and options for Beam.
        shown_by: Command that shows how far a job is that was left to an engine.

    Returns:
        Counters of what was written, by name.

    Raises:
        TagscaleError: The runner failed; finished shards are kept.
    """

    def tracks_in(shards_done: int) -> int:
        return entry.tracks * shards_done // entry.shards

    with Progress(what, entry.tracks, "tracks") as progress:
        progress.start_at(tracks_in(entry.shards - len(unfinished_shards(job, entry.shards))))
        return run_shards(
            job,
            entry.shards,
            workers=options.workers,
            beam_options=options.beam_options,
            on_progress=lambda done: progress.update(tracks_in(done)),
            detach=options.detach,
            shown_by=shown_by,
        )
