"""Time that docs/examples/serve.py takes to answer for a clip of 30 s, beside a bare decode and a bare call of the model.

    python -m benchmarks.serving [--requests 200]

The server runs on loopback with the default spectrogram model with random weights, with one thread that tags and with one for
each core. Clients post the same stereo mp3 again and again, each as soon as it has its answer. The floor, in a process of its
own, decodes the clip with libsndfile into one reused block, and calls the model's `serving_default` with a waveform in memory.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from benchmarks.command_line import number_given
from benchmarks.material import described, write_catalog
from benchmarks.results import write_results
from benchmarks.tagging import write_default_model

SECONDS = 30
CLIENTS = (1, 8)
WARMING = 4  # first requests of a server, which start its decoding processes and are not counted

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
SERVER = "import sys\nsys.path.insert(0, sys.argv.pop(1))\nimport serve\nserve.WORKERS = int(sys.argv.pop(1))\nserve.main()\n"
FLOOR = """
import json, statistics, sys, time
from benchmarks.workloads import _signature, bare_decode
import numpy as np, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(0)
tf.config.threading.set_inter_op_parallelism_threads(0)
catalog, model, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
score = _signature(model, "serving_default")
signal = tf.constant(np.random.default_rng(0).normal(scale=0.1, size=(1, 30 * 16_000)).astype(np.float32))
def seconds(work):
    for _ in range(3):
        work()
    taken, used = [], time.process_time()
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken), (time.process_time() - used) / times
decode, decode_cpu = seconds(lambda: bare_decode(catalog))
call, call_cpu = seconds(lambda: score(waveform=signal)["scores"].numpy())
print(json.dumps({"decode": decode, "model": call, "decode cpu": decode_cpu, "model cpu": call_cpu}))
"""


def floor(catalog: Path, model: Path, times: int) -> dict[str, float]:
    """Median seconds, and mean CPU seconds, of a bare decode and of a bare call of the model with all cores."""
    words = [sys.executable, "-c", FLOOR.replace("30 * 16_000", f"{SECONDS} * 16_000"), str(catalog), str(model)]
    ended = subprocess.run([*words, str(times)], check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return measured


@contextmanager
def running(model: Path, workers: int, log: Path) -> Iterator[tuple[str, int]]:
    """A server; yields its address and its process id."""
    with open(log, "w") as sink:
        words = [sys.executable, "-c", SERVER, str(EXAMPLES), str(workers), "--model", str(model), "--port", "0"]
        server = subprocess.Popen(words, stdout=sink, stderr=sink)
    try:
        while not (found := re.search(r"running on (http://\S+)", log.read_text())):
            if server.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(0.1)
        yield found[1], server.pid
    finally:
        server.terminate()
        server.wait()


def cpu_seconds(process: int) -> float:
    """CPU seconds that a process and its children, which decode, have used so far."""
    children = [int(child) for task in Path(f"/proc/{process}/task").iterdir() for child in _children(task)]
    ticks = 0
    for one in (process, *children):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _children(task: Path) -> list[str]:
    return (task / "children").read_text().split()


def answer_times(address: str, song: bytes, clients: int, requests: int) -> tuple[list[float], float]:
    """Seconds that each answer took, and those of all."""

    def client(count: int) -> list[float]:
        taken = []
        with httpx.Client(base_url=address, timeout=120) as connection:
            for _ in range(count):
                began = time.perf_counter()
                connection.post("/tags", files={"song": ("song.mp3", song)}).raise_for_status()
                taken.append(time.perf_counter() - began)
        return taken

    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(clients) as threads:
        taken = [one for times in threads.map(client, [requests // clients] * clients) for one in times]
    return taken, time.perf_counter() - began


def main() -> None:
    """Measure, print a table, write JSON."""
    requests = number_given(__doc__, "requests", 200)
    cores = os.cpu_count() or 1
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        catalog = write_catalog(Path(folder), 1, SECONDS)
        song = next(Path(folder).glob("*.mp3")).read_bytes()
        model = Path(folder, "model")
        write_default_model(model)
        floors = [floor(catalog, model, max(3, requests // 8))]
        for workers in sorted({1, cores}):
            with running(model, workers, Path(folder, "log")) as (address, process):
                answer_times(address, song, workers, WARMING * workers)
                for clients in CLIENTS:
                    used = cpu_seconds(process)
                    taken, wall = answer_times(address, song, clients, requests)
                    rows[f"{clients} clients, {workers} threads"] = {
                        "p50": float(np.percentile(taken, 50)),
                        "p99": float(np.percentile(taken, 99)),
                        "songs_per_second": len(taken) / wall,
                        "cpu_seconds": (cpu_seconds(process) - used) / len(taken),
                    }
            floors.append(floor(catalog, model, max(3, requests // 8)))
    # Other work on the machine comes and goes, so the floor is measured before, between and after.
    least = {name: statistics.median(one[name] for one in floors) for name in floors[0]}
    total, total_cpu = least["decode"] + least["model"], least["decode cpu"] + least["model cpu"]
    print(f"a stereo mp3 of {SECONDS} s, {described()}, {cores} cores, {requests} requests each")
    print(f"floor: {total * 1e3:.0f} ms (decode {least['decode'] * 1e3:.0f}, model {least['model'] * 1e3:.0f})", end="")
    print(f", {total_cpu:.2f} CPU seconds")
    print(f"{'':<24} {'p50':>8} {'p99':>8} {'songs/s':>8} {'of floor':>9} {'CPU s/song':>11} {'of floor':>9}")
    for name, row in rows.items():
        print(
            f"{name:<24} {row['p50'] * 1e3:>5.0f} ms {row['p99'] * 1e3:>5.0f} ms {row['songs_per_second']:>8.2f} "
            f"{row['songs_per_second'] * total:>9.2f} {row['cpu_seconds']:>11.2f} {row['cpu_seconds'] / total_cpu:>9.2f}"
        )
    write_results("serving", {"floor": least, "rows": rows, "cores": cores})


if __name__ == "__main__":
    main()
