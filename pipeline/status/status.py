"""Count the done marks of a dataset or of tags, on any machine, while any engine writes them. The command calls `status_of`."""

from __future__ import annotations

import dataclasses
import time

from schemas.dataset import Dataset
from schemas.features import FeatureSpec, features_name
from schemas.generations import Generations
from schemas.layout import generation_name, shard_name
from schemas.plan_file import PlanReader
from schemas.storage.files import modification_times
from schemas.tags import Tags

RECENT_SHARDS = 50  # shards from which the rate is taken: a job that was resumed had another rate before


@dataclasses.dataclass(frozen=True)
class Work:
    """A generation of features, and how much of it is written.

    Attributes:
        what: Name of the generation, and of features that are derived.
        made_by: Command that writes it: build, derive or tag.
        complete: True if it is closed, so that every command uses it.
        shards: Number of its shards.
        done: Number of shards that have all their done marks.
        tracks: Number of its tracks.
        tracks_done: Number of tracks in the shards that are done.
        last_mark: Seconds since the last done mark was written; None if it is complete or has none.
        tracks_per_second: Rate over the shards that were finished last; None if it is not known.
    """

    what: str
    made_by: str
    complete: bool
    shards: int
    done: int
    tracks: int
    tracks_done: int
    last_mark: float | None = None
    tracks_per_second: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """Time that the rest takes at the same rate; None if the rate is not known."""
        return (self.tracks - self.tracks_done) / self.tracks_per_second if self.tracks_per_second else None


def status_of(*, dataset: str | None = None, tags: str | None = None) -> list[Work]:
    """How far each generation of a dataset, or of tags, is.

    Args:
        dataset: Folder of a dataset; or
        tags: folder of tags.

    Raises:
        UserError: There is nothing of the kind.
        DatasetError: Its manifest or a plan is damaged.
    """
    if tags is not None:
        return _generations(Tags.begun(tags), "tag")
    opened = Dataset.begun(dataset or "")
    return _generations(opened, "build") + _derived(opened)


def _generations(opened: Generations, made_by: str) -> list[Work]:
    complete = [
        Work(generation_name(number), made_by, True, entry.shards, entry.shards, entry.tracks, entry.tracks)
        for number, entry in enumerate(opened.manifest.generations)
    ]
    if opened.under_way is None:
        return complete
    number, plan = opened.under_way.generation, opened.layout.plan(opened.under_way.generation)
    return [*complete, _counted(generation_name(number), made_by, plan, opened.mark_folders(number))]


def _derived(dataset: Dataset) -> list[Work]:
    """Generations of derived features that are not listed as whole yet."""
    found = []
    for entry in dataset.manifest.derived:
        for generation in range(entry.generations, len(dataset.manifest.generations)):
            found.append(_derived_generation(dataset, entry.spec, generation))
    return found


def _derived_generation(dataset: Dataset, spec: FeatureSpec, generation: int) -> Work:
    what = f"{features_name(spec)} of {generation_name(generation)}"
    return _counted(what, "derive", dataset.layout.plan(generation), [dataset.layout.features(spec, generation)])


def _counted(what: str, made_by: str, plan: str, folders: list[str]) -> Work:
    sizes = PlanReader(plan).sizes
    times = [modification_times(folder) for folder in folders]
    written: dict[int, float] = {}  # shard -> when its last mark was written
    for shard in range(len(sizes)):
        marks = [found.get(f"{shard_name(shard)}.json") for found in times]
        if None not in marks:
            written[shard] = max(mark for mark in marks if mark is not None)
    work = Work(what, made_by, False, len(sizes), len(written), sum(sizes), sum(sizes[shard] for shard in written))
    if not written:
        return work
    recent = sorted(written, key=lambda shard: written[shard])[-RECENT_SHARDS:]
    took = written[recent[-1]] - written[recent[0]]
    rate = sum(sizes[shard] for shard in recent[1:]) / took if took > 0 else None
    return dataclasses.replace(work, last_mark=max(0.0, time.time() - written[recent[-1]]), tracks_per_second=rate)
