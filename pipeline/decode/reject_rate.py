"""How many tracks a build may reject: before the job starts, on a sample, and when it is done, on all."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import bdtrc  # scipy.stats costs a second to import

from pipeline.decode.catalog import Catalog
from schemas.console.errors import UserError
from schemas.console.shown_commands import pipeline_command
from schemas.dataset import Dataset
from schemas.storage.files import join

PREFLIGHT_TRACKS = 36  # decoded before a job starts
PREFLIGHT_EXCERPT = "start:10"  # of each: a preflight of long tracks costs no more than one of short ones
_PREFLIGHT_SHARE = 4  # of a small catalog, one in so many
_PREFLIGHT_CHANCE = 1e-4  # of stopping a build that would have kept within its rate


def rejects_by_cause(tracks: pa.Table) -> dict[str, int]:
    """Cause -> number of rejects in a tracks table."""
    causes = tracks["cause"].filter(pc.is_valid(tracks["cause"]))
    return dict(sorted(collections.Counter(causes.to_pylist()).items()))


def example_rejects(tracks: pa.Table, catalog: Catalog) -> dict[str, tuple[str, str]]:
    """Cause -> track id and message of its first reject, for a summary.

    Args:
        tracks: columns track_id, cause and message.
        catalog: that the tracks are of. A table names a file as the catalog does; here its whole path is named.
    """
    rejected: list[dict[str, Any]] = (
        tracks.filter(pc.is_valid(tracks["cause"])).select(["track_id", "cause", "message"]).to_pylist()
    )
    examples: dict[str, tuple[str, str]] = {}
    for row in sorted(rejected, key=lambda row: str(row["track_id"])):
        examples.setdefault(row["cause"], (row["track_id"], row["message"]))
    ids = pa.array([track for track, _ in examples.values()], pa.string())
    rows = catalog.table.filter(pc.is_in(catalog.table["track_id"], value_set=ids))
    uris = dict(zip(rows["track_id"].to_pylist(), rows["uri"].to_pylist(), strict=True))
    for cause, (track, message) in examples.items():
        uri = uris.get(track)
        if uri is not None and message.endswith(f": {uri}"):
            examples[cause] = track, f"{message.removesuffix(uri)}{join(catalog.root, uri)}"
    return dict(sorted(examples.items()))


def check_reject_rate(dataset: Dataset, catalog: Catalog, most: float) -> None:
    """Raise UserError if more of the dataset's tracks are without a record than a build accepts.

    The whole dataset counts and not the newest generation alone, so that one track that comes later and is bad, or is
    tried again in vain, does not stop a build that accepts some. What the catalog lists no more does not count: whoever
    strikes bad rows out of it has accepted that they are not there.

    Args:
        dataset: all of whose generations are complete.
        catalog: that the build was called with.
        most: largest share.
    """
    newest = dataset.newest_tracks(["cause", "message"])
    newest = newest.filter(pc.is_in(newest["track_id"], value_set=catalog.table["track_id"].combine_chunks()))
    rejects = rejects_by_cause(newest)
    rejected = sum(rejects.values())
    if rejected <= most * newest.num_rows:
        return
    words = reject_words(rejects, example_rejects(newest, catalog))
    raise UserError(
        f"{dataset.layout.root}: {rejected} of {newest.num_rows} tracks were rejected, more than --max-reject-rate {most:g} "
        f"allows ({words}); mend their uris in the catalog and run the same command again, mend the audio and add "
        "--retry-rejects all, or accept them with a higher --max-reject-rate; "
        f"`{pipeline_command('prune', '--dataset', dataset.layout.root, '--unfinished')}` gives up what was added"
    )


def preflight_size(tracks: int) -> int:
    """How many of so many tracks are decoded before the job starts."""
    return min(PREFLIGHT_TRACKS, tracks // _PREFLIGHT_SHARE)


def check_preflight(catalog_uri: str, outcomes: Iterable[tuple[str, str | None, str]], most: float) -> None:
    """Raise UserError if a sample shows that a build cannot keep within its reject rate.

    A sample may hold more rejects than the whole by chance: it stops a build only where that chance is less than 1 in
    10,000.

    Args:
        catalog_uri: for the error.
        outcomes: track id, cause or None, and message of each track of the sample.
        most: largest share of tracks that may be rejected.
    """
    outcomes = list(outcomes)
    rejected = [(cause, track, message) for track, cause, message in outcomes if cause is not None]
    if not rejected or bdtrc(len(rejected) - 1, len(outcomes), most) >= _PREFLIGHT_CHANCE:
        return
    examples: dict[str, tuple[str, str]] = {}
    for cause, track, message in sorted(rejected):
        examples.setdefault(cause, (track, message))
    counts = dict(sorted(collections.Counter(cause for cause, _, _ in rejected).items()))
    raise UserError(
        f"catalog {catalog_uri}: of {len(outcomes)} tracks tried before the build {len(rejected)} were rejected, where "
        f"--max-reject-rate {most:g} allows that share of all ({reject_words(counts, examples)}); nothing was built: mend the "
        "catalog or the audio, or accept that with a higher --max-reject-rate"
    )


def reject_words(counts: dict[str, int], examples: dict[str, tuple[str, str]]) -> str:
    """Rejects by cause on one line, each with an example, its track and message."""
    return "; ".join(
        f"{count} {cause}, such as {examples[cause][0]}: {examples[cause][1]}" for cause, count in counts.items()
    )
