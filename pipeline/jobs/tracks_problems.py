"""Check a generation's tracks table against its plan and against the manifest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import DatasetError
from schemas.generations import Generations
from schemas.manifests import GenerationEntry
from schemas.plan_file import PlanReader


def tracks_problems(
    dataset: Generations, entry: GenerationEntry, tracks: pa.Table, bounds: npt.NDArray[np.int64]
) -> Iterator[str]:
    """Problems unless every planned track has exactly one row and the manifest's counts match the table."""
    uri = dataset.layout.tracks(entry.generation)
    try:
        plan = PlanReader(dataset.layout.plan(entry.generation))
        if (plan.shards, plan.tracks) != (entry.shards, entry.tracks):
            yield (
                f"{plan.uri}: plans {plan.tracks} tracks in {plan.shards} shards, the manifest says {entry.tracks} in "
                f"{entry.shards}"
            )
            return
        for shard in range(plan.shards):
            found = tracks["track_id"].slice(bounds[shard], bounds[shard + 1] - bounds[shard])
            if plan.shard(shard)["track_id"] != found:
                yield f"{uri}: shard {shard}: its tracks are not those of the plan"
    except DatasetError as error:
        yield str(error)
        return
    rejected = tracks["record"].null_count
    both = pc.sum(pc.equal(pc.is_valid(tracks["record"]), pc.is_valid(tracks["cause"]))).as_py() or 0
    if both:
        yield f"{uri}: {both} tracks are both stored and rejected, or neither"
    if (tracks.num_rows - rejected, rejected) != (entry.records, sum((entry.rejects or {}).values())):
        yield (
            f"{uri}: holds {tracks.num_rows - rejected} records and {rejected} rejects, the manifest says "
            f"{entry.records} and {sum((entry.rejects or {}).values())}"
        )
