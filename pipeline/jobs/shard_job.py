"""The interface between a job and the runner: shards of one plan, each written whole by the job's writer."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

from schemas.features import Family, FeatureSpec
from schemas.layout import Layout, shard_name
from schemas.storage.files import exists, join, list_names, remove


@dataclasses.dataclass(frozen=True)
class ShardCounts:
    """What a shard holds once it is written.

    Attributes:
        shard: Number of the shard.
        records: Number of stored tracks.
        rejects: Number of rejects by cause.
        seconds: Length of the stored audio in seconds.
        bytes: Size of the payloads.
        spent: Seconds that the parts of the work took, by name.
    """

    shard: int
    records: int
    rejects: dict[str, int] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    bytes: int = 0
    spent: dict[str, float] = dataclasses.field(default_factory=dict)

    @classmethod
    def of_rows(
        cls, shard: int, rows: Sequence[Mapping[str, Any]], size: int = 0, spent: Mapping[str, float] | None = None
    ) -> Self:
        """Counts of a shard's rows of the tracks table, with the size of its payloads and the times that were spent."""
        rejects = collections.Counter(row["cause"] for row in rows if row["cause"] is not None)
        seconds = sum(row["seconds"] or 0.0 for row in rows if row["cause"] is None)
        return cls(shard, len(rows) - rejects.total(), dict(sorted(rejects.items())), seconds, size, dict(spent or {}))


class Writer(Protocol):
    """Writes shards, one after the other."""

    def write(self, shard: int) -> ShardCounts: ...

    def close(self) -> None: ...


class Job(Protocol):
    """A job; it is small, since it travels to the workers in the job graph."""

    @property
    def plan(self) -> str:
        """URI of the plan, which has a row group per shard."""
        ...

    @property
    def mark_folders(self) -> list[str]:
        """Folders, each of which receives a done mark of every shard."""
        ...

    @property
    def memory(self) -> str:
        """Memory that a worker needs, such as "2GB"; an engine chooses its machines by it."""
        ...

    def open_writer(self) -> Writer: ...


class FeatureJob(Job, Protocol):
    """A job that writes features of a generation.

    Attributes:
        generation: Number of the generation to write.
        families: Features to write.
    """

    @property
    def layout(self) -> Layout: ...

    @property
    def generation(self) -> int: ...

    @property
    def families(self) -> dict[Family, FeatureSpec]: ...


@dataclasses.dataclass(frozen=True)
class GenerationJob:
    """The base of jobs that write features of one generation.

    Attributes:
        dataset: Folder of the dataset.
        generation: Number of the generation.
        memory: Memory that a worker needs: its own, that of the decoding process, and room for a long track.
    """

    dataset: str
    generation: int
    memory: ClassVar[str] = "2GB"

    @property
    def layout(self) -> Layout:
        return Layout(self.dataset)

    @property
    def plan(self) -> str:
        return self.layout.plan(self.generation)

    @property
    def mark_folders(self: FeatureJob) -> list[str]:
        """Folders of the payloads and their done marks, one per family."""
        return [self.layout.features(spec, self.generation) for spec in self.families.values()]


def mark_name(shard: int) -> str:
    return f"{shard_name(shard)}.json"


def is_done(job: Job, shard: int) -> bool:
    """True if every done mark of a shard exists."""
    return all(exists(join(folder, mark_name(shard))) for folder in job.mark_folders)


def remove_half_marks(job: Job, shards: int, is_outdated: Callable[[int], bool]) -> None:
    """Remove outdated done marks of shards that have only some of their marks, as a killed worker leaves them.

    Args:
        job: Job that the shards belong to.
        shards: Number of shards in its plan.
        is_outdated: Returns True for a shard that would now be written differently.
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
