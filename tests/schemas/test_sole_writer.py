"""One command at a time changes a dataset; one that was killed holds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import UserError
from schemas.sole_writer import sole_writer

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from schemas.sole_writer import sole_writer
with sole_writer(sys.argv[1]):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_kept_out_until_the_holder_ends_however_it_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "in\n"
        with pytest.raises(UserError, match="another command is changing this dataset"), sole_writer(str(tmp_path)):
            pass
        holder.kill()
    with sole_writer(str(tmp_path)):
        pass
    assert os.listdir(tmp_path) == []


def test_a_bucket_is_not_held() -> None:
    with sole_writer("gs://bucket/data"), sole_writer("gs://bucket/data"):
        pass
