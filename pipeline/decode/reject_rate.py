"""Limit the share of rejects of a build: before the job starts on a sample, and after it on all tracks."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import bdtrc  # scipy.stats costs a second to import

from pipeline.decode.catalog import Catalog
from schemas.console.errors import UserError
from schemas.generations import Generations
from schemas.storage.files import join

PREFLIGHT_TRACKS = 36  # decoded before a job starts
PREFLIGHT_EXCERPT = "start:10"  # decoded of each, so that long tracks cost no more than short ones
_PREFLIGHT_SHARE = 4  # one track in this many of a small catalog
_PREFLIGHT_CHANCE = 1e-4  # probability of stopping a build that would have kept within its rate


def rejects_by_cause(tracks: pa.Table) -> dict[str, int]:
    """Cause -> number of rejects in a tracks table."""
    causes = tracks["cause"].filter(pc.is_valid(tracks["cause"]))
    return dict(sorted(collections.Counter(causes.to_pylist()).items()))


def example_rejects(tracks: pa.Table, catalog: Catalog | None) -> dict[str, tuple[str, str]]:
    """Cause -> track id and message of its first reject, for a summary.

    Args:
        tracks: Columns track_id, cause and message.
        catalog: Catalog of the tracks; None if there is none. A table names a file as the catalog does; here the message names
            its full path.
    """
    rejected: list[dict[str, Any]] = (
        tracks.filter(pc.is_valid(tracks["cause"])).select(["track_id", "cause", "message"]).to_pylist()
    )
    examples: dict[str, tuple[str, str]] = {}
    for row in sorted(rejected, key=lambda row: str(row["track_id"])):
        examples.setdefault(row["cause"], (row["track_id"], row["message"]))
    if catalog is None:
        return dict(sorted(examples.items()))
    ids = pa.array([track for track, _ in examples.values()], pa.string())
    rows = catalog.table.filter(pc.is_in(catalog.table["track_id"], value_set=ids))
    uris = dict(zip(rows["track_id"].to_pylist(), rows["uri"].to_pylist(), strict=True))
    for cause, (track, message) in examples.items():
        uri = uris.get(track)
        if uri is not None and message.endswith(f": {uri}"):
            examples[cause] = track, f"{message.removesuffix(uri)}{join(catalog.root, uri)}"
    return dict(sorted(examples.items()))


def check_reject_rate(dataset: Generations, catalog: Catalog, most: float, giving_up: str = "") -> None:
    """Raise UserError if more of the dataset's tracks are without a record than a build accepts.

    The rate covers the whole dataset and not only the newest generation, so that one later track that is bad, or is retried
    in vain, does not stop a build that accepts some rejects. Tracks that the catalog no longer lists do not count: a user
    who deletes bad rows has accepted their absence.

    Args:
        dataset: A dataset whose generations are all complete.
        catalog: Catalog of the build.
        most: Largest accepted share.
        giving_up: Further advice for the error.
    """
    newest = dataset.newest_tracks(["cause", "message"])
    newest = newest.filter(pc.is_in(newest["track_id"], value_set=catalog.table["track_id"].combine_chunks()))
    if (too_many := rejects_beyond(newest, most, catalog)) is not None:
        rejected, words = too_many
        raise UserError(
            f"{dataset.layout.root}: {rejected} of {newest.num_rows} tracks were rejected, more than --max-reject-rate "
            f"{most:g} allows ({words}); fix their uris in the catalog and run the same command again, fix the audio and add "
            f"--retry-rejects all, or accept them with a higher --max-reject-rate{giving_up}"
        )


def rejects_beyond(tracks: pa.Table, most: float, catalog: Catalog | None) -> tuple[int, str] | None:
    """Number of rejects among tracks, and words on them, if they are more than an accepted share; otherwise None.

    Args:
        tracks: Columns track_id, cause and message.
        most: Largest accepted share.
        catalog: Catalog of the tracks; None if there is none.
    """
    rejects = rejects_by_cause(tracks)
    rejected = sum(rejects.values())
    if rejected <= most * tracks.num_rows:
        return None
    return rejected, reject_words(rejects, example_rejects(tracks, catalog))


def preflight_size(tracks: int) -> int:
    """Number of tracks to decode before a job of `tracks` tracks starts."""
    return min(PREFLIGHT_TRACKS, tracks // _PREFLIGHT_SHARE)


def check_preflight(catalog_uri: str, outcomes: Iterable[tuple[str, str | None, str]], most: float) -> None:
    """Raise UserError if a sample shows that a build cannot keep within its reject rate.

    By chance a sample may have a higher reject rate than the whole: it stops a build only if the probability of that is less
    than 1 in 10,000.

    Args:
        catalog_uri: URI of the catalog, for the error.
        outcomes: Track id, cause or None, and message of each track of the sample.
        most: Largest share of tracks that may be rejected.
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
        f"--max-reject-rate {most:g} allows that share of all ({reject_words(counts, examples)}); nothing was built: fix the "
        "catalog or the audio, or accept the rejects with a higher --max-reject-rate"
    )


def reject_words(counts: dict[str, int], examples: dict[str, tuple[str, str]]) -> str:
    """Rejects by cause on one line, each with an example, its track and message."""
    return "; ".join(
        f"{count} {cause}, such as {examples[cause][0]}: {examples[cause][1]}" for cause, count in counts.items()
    )
