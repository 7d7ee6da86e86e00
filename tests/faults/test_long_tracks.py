"""A track of three hours is streamed: no process that handles it takes a gigabyte."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 3 * 3600
RATE = 22_050

SCRIPT = """
import json, os, resource, sys
from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions

summary = build(sys.argv[1], sys.argv[2], BuildOptions(workers=1, excerpt="full"))
# Not ru_maxrss, which a process takes over from the one that started it, here that of all tests.
own = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"records": summary.records, "hours": summary.hours, "own": own, "children": children}), flush=True)
os._exit(0)  # as the command line leaves: what Beam leaves behind aborts now and then
"""


@pytest.mark.slow
def test_a_track_of_three_hours_takes_less_than_a_gibibyte(tmp_path: Path) -> None:
    samples = SECONDS * RATE * 2  # 16 bits, mono; the data is a hole in the file
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + samples, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", samples
    )
    with open(tmp_path / "set.wav", "wb") as file:
        file.write(header)
        file.truncate(len(header) + samples)
    (tmp_path / "catalog.csv").write_text("track_id,uri\nset,set.wav\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "catalog.csv"), str(tmp_path / "data")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["records"], found["hours"]) == (1, 3.0)
    assert max(found["own"], found["children"]) < 1 << 20  # KiB
