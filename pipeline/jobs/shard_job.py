"""What a job is to the runner: shards of one plan, each written whole by a writer of the job's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from schemas.features import Family, FeatureSpec
from schemas.layout import Layout, shard_name
from schemas.storage.files import exists, join, list_names, remove


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
    """A job; it travels to the workers in the job graph, so it is small."""

    @property
    def plan(self) -> str:
        """The plan's file: a row group for each shard."""
        ...

    @property
    def mark_folders(self) -> list[str]:
        """Folders that each get a done mark of every shard."""
        ...

    def open_writer(self) -> Writer: ...


class FeatureJob(Job, Protocol):
    """A job that writes features of a generation.

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


def feature_folders(job: FeatureJob) -> list[str]:
    """Where a job's payloads and their done marks lie, a folder for each family."""
    return [job.layout.features(spec, job.generation) for spec in job.families.values()]


def mark_name(shard: int) -> str:
    return f"{shard_name(shard)}.json"


def is_done(job: Job, shard: int) -> bool:
    """True if every done mark of a shard is there."""
    return all(exists(join(folder, mark_name(shard))) for folder in job.mark_folders)


def remove_half_marks(job: Job, shards: int, is_outdated: Callable[[int], bool]) -> None:
    """Remove the done marks of shards that have some and not all, as a killed worker leaves them, where they no longer hold.

    Args:
        job: whose shards they are.
        shards: how many its plan has.
        is_outdated: says of a shard whether what is written now is not what was written then.
    """
    names = {folder: set(list_names(folder)) for folder in job.mark_folders}
    for shard in range(shards):
        having = [folder for folder, found in names.items() if mark_name(shard) in found]
        if 0 < len(having) < len(names) and is_outdated(shard):
            for folder in having:
                remove(join(folder, mark_name(shard)))


def unfinished_shards(job: Job, shards: int) -> list[int]:
    """Numbers of the shards that lack a done mark."""
    done = set.intersection(*(set(list_names(folder)) for folder in job.mark_folders))
    return [shard for shard in range(shards) if mark_name(shard) not in done]
