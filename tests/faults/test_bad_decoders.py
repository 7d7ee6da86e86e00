"""A file that makes its decoder crash, hang or allocate 50 GB costs one reject row, not the shard and not the build."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import pipeline.decode.shards
from pipeline.audio.isolation import DecodingProcess
from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.verify import verify
from schemas.dataset import Dataset

FAULTS = {"crash": "decoder_crash", "exit": "decoder_crash", "hang": "decoder_timeout", "memory": "decoder_memory"}


@pytest.mark.slow
def test_each_bad_file_costs_its_own_row_and_nothing_else(
    tmp_path: Path, write_audio: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    misbehaving = functools.partial(DecodingProcess, module="misbehaving_decoder", stall_seconds=1.0)
    monkeypatch.setattr(pipeline.decode.shards, "DecodingProcess", misbehaving)
    good = write_audio(tmp_path / "good.wav", np.random.default_rng(0).normal(scale=0.1, size=16_000), 16_000)
    names = [f"{name} {number}" for name in (*FAULTS, "fine", "fine too") for number in range(2)]
    for name in names:
        shutil.copy(good, tmp_path / f"{name}.wav")
    rows = [f"{name},{name}.wav" for name in names]
    (tmp_path / "catalog.csv").write_text("\n".join(["track_id,uri", *rows]) + "\n")
    options = BuildOptions(workers=1, shards=2, max_reject_rate=1.0)
    summary = build(str(tmp_path / "catalog.csv"), str(tmp_path / "data"), options)
    assert summary.rejects == {"decoder_crash": 4, "decoder_memory": 2, "decoder_timeout": 2}
    assert summary.records == 4
    table = Dataset.open(str(tmp_path / "data")).newest_tracks().to_pylist()
    for row in table:
        assert row["cause"] == FAULTS.get(row["track_id"].split()[0])
        assert row["transient"] == (row["cause"] == "decoder_timeout")
        assert str(tmp_path) not in (row["message"] or "")
    assert verify(str(tmp_path / "data"), deep=True).problems == ()
