"""The decoding process stays light, because every worker pays for its imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAVY = ("tensorflow", "apache_beam", "librosa", "numba", "keras", "pyarrow", "sklearn", "av", "tensorflow_io")


def test_the_decoding_process_imports_nothing_heavy() -> None:
    program = "import sys, pipeline.audio.decoding_process; print('\\n'.join(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {name.split(".")[0] for name in ended.stdout.splitlines()}
    assert {"numpy", "scipy", "soundfile", "soxr"} <= imported
    assert not imported & set(HEAVY)
