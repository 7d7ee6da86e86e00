"""What a job is to the runner: shards of one generation, each written whole by a writer of the job's own."""

from __future__ import annotations

from typing import Protocol

from schemas.features import Family, FeatureSpec
from schemas.layout import Layout, shard_name
from schemas.storage import exists, list_names


class ShardCounted(Protocol):
    """How the tracks of a shard ended."""

    @property
    def records(self) -> int: ...

    @property
    def rejects(self) -> dict[str, int]: ...


class Writer(Protocol):
    """Writes shards, one after the other."""

    def write(self, shard: int) -> ShardCounted: ...

    def close(self) -> None: ...


class Job(Protocol):
    """A job; it travels to the workers in the job graph, so it is small.

    Attributes:
        generation: whose shards it writes.
        families: the features that it writes.
    """

    @property
    def layout(self) -> Layout: ...

    @property
    def generation(self) -> int: ...

    @property
    def families(self) -> dict[Family, FeatureSpec]: ...

    def open_writer(self) -> Writer: ...


def is_done(job: Job, shard: int) -> bool:
    """True if every family's done mark of a shard is there."""
    return all(exists(job.layout.done_mark(spec, job.generation, shard)) for spec in job.families.values())


def unfinished_shards(job: Job, shards: int) -> list[int]:
    """Numbers of the shards that lack a done mark of some family."""
    done = set.intersection(
        *(set(list_names(job.layout.features(spec, job.generation))) for spec in job.families.values())
    )
    return [shard for shard in range(shards) if f"{shard_name(shard)}.json" not in done]
