"""Do in a process what a worker does up to its first track: python -m pipeline.estimate.starting_worker DATASET

It imports the same modules as Beam's workers and builds the first shard of a dataset that is already built, which changes
nothing there.
"""

from __future__ import annotations

import os
import sys

import apache_beam.runners.worker.sdk_worker_main  # noqa: F401 (what runners start workers with)

import pipeline.jobs.transforms  # noqa: F401 (what the job graph names)
from pipeline.decode.shards import ShardJob, ShardWriter
from schemas.dataset_manifest import DatasetManifest
from schemas.layout import Layout


def main() -> None:
    dataset = sys.argv[1]
    families = DatasetManifest.read(Layout(dataset).manifest).families
    with ShardWriter(ShardJob(dataset, 0, families, os.path.dirname(dataset))) as writer:
        writer.write(0)


if __name__ == "__main__":
    main()
