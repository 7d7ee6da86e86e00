"""Measure the cost of a build apart from its tracks: the job, and starting a worker."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from pipeline.estimate.cost_sample import Spent
from schemas.console.errors import TagscaleError


def measure_startup(folder: str) -> tuple[Spent, Spent]:
    """The cost of a job, and that of starting a worker process, neither with a decoding process.

    The first is a real build of a catalog whose only track is absent; the second is a process that does what a worker does
    up to its first track.

    Args:
        folder: An empty local folder.

    Raises:
        TagscaleError: this installation cannot even build that.
    """
    catalog, dataset = os.path.join(folder, "catalog.csv"), os.path.join(folder, "dataset")
    with open(catalog, "w", encoding="utf-8") as file:
        file.write("track_id,uri\nabsent,absent.wav\n")
    options = ("--catalog", catalog, "--dataset", dataset, "--workers", "1", "--max-reject-rate", "1")
    return _spent(("-m", "pipeline.run", "build", *options)), _spent(
        ("-m", "pipeline.estimate.starting_worker", dataset)
    )


def _spent(arguments: Sequence[str]) -> Spent:
    """Run Python with these arguments to its end and measure the cost."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    began = time.monotonic()
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(
            (sys.executable, *arguments), stdin=subprocess.DEVNULL, stdout=words, stderr=words, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            words.seek(0)
            last = (words.read().decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"])[
                -1
            ]
            raise TagscaleError(f"a build of a catalog of one absent track failed here: {last}")
    return Spent(usage.ru_utime + usage.ru_stime, wall)
