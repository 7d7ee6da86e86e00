"""The counters of a job, as its engine kept them."""

from __future__ import annotations

import contextlib
from typing import Any

from apache_beam.metrics import MetricsFilter

from pipeline.jobs.transforms import METRICS


def counters_of(result: Any) -> dict[str, int]:
    """Name -> value of each counter, sorted by name.

    They count what this run of the job wrote. Shards that were written before are not in them, and a worker that was lost
    takes its own with it.

    Args:
        result: What a runner returned for the job, or None.

    Returns:
        The counters; none if the engine keeps none, as dask does, or does not tell them any more.
    """
    found: dict[str, int] = {}
    with contextlib.suppress(Exception):  # each engine has errors of its own, and the work is done
        for counter in result.metrics().query(MetricsFilter().with_namespace(METRICS))["counters"]:
            value = counter.committed if counter.committed is not None else counter.attempted
            found[counter.key.metric.name] = found.get(counter.key.metric.name, 0) + int(value)
    return dict(sorted(found.items()))
