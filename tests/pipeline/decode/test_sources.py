"""Tracks whose audio changed are found by the checksums of their sources, without reading unchanged files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from pipeline.audio.fetch import source_checksum as checksum
from pipeline.decode import sources
from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.verify import verify
from schemas.dataset import Dataset
from tests.conftest import RunPipeline, small_catalog

Contents = Callable[..., dict[str, str]]


def test_a_track_whose_source_changed_is_decoded_again_and_its_newest_record_counts(
    tmp_path: Path, contents: Contents
) -> None:
    catalog, root = small_catalog(tmp_path, 6), tmp_path / "data"
    build(catalog, str(root), BuildOptions(workers=1))
    before, old = contents(root), Dataset.open(str(root)).newest_tracks().to_pylist()
    assert build(catalog, str(root), BuildOptions(workers=1)).built == ()
    soundfile.write(tmp_path / "03.wav", np.random.default_rng(99).normal(scale=0.1, size=9_000), 16_000)
    (tmp_path / "04.wav").unlink()  # its record stays
    summary = build(catalog, str(root), BuildOptions(workers=1))
    assert (summary.built, summary.tracks, summary.records) == ((1,), 6, 6)
    new = Dataset.open(str(root)).newest_tracks().to_pylist()
    assert [row["generation"] for row in new] == [0, 0, 0, 1, 0, 0]
    assert new[3]["seconds"] == 9_000 / 16_000
    assert new[3]["pcm_sha256"] != old[3]["pcm_sha256"]
    after = contents(root)
    assert {name: after[name] for name in before if name != "dataset.json"} == {
        name: bytes_ for name, bytes_ in before.items() if name != "dataset.json"
    }
    assert verify(str(root), deep=True).problems == ()
    assert build(catalog, str(root), BuildOptions(workers=1)).built == ()


def test_a_source_that_changed_to_something_broken_is_tried_once_and_its_record_stays(tmp_path: Path) -> None:
    catalog, root = small_catalog(tmp_path, 30), str(tmp_path / "data")
    build(catalog, root, BuildOptions(workers=1))
    (tmp_path / "03.wav").write_text("no sound any more")
    assert build(catalog, root, BuildOptions(workers=1)).records == 30
    assert build(catalog, root, BuildOptions(workers=1)).built == ()


def test_a_source_that_can_be_read_no_longer_is_not_waited_for_and_its_record_stays(
    tmp_path: Path, run_pipeline: RunPipeline
) -> None:
    catalog, root = small_catalog(tmp_path, 4), str(tmp_path / "data")
    build(catalog, root, BuildOptions(workers=1))
    (tmp_path / "03.wav").unlink()
    os.mkfifo(tmp_path / "03.wav")
    rows = ["track_id,uri", "00,00.wav", "01,file://nas/01.wav", "02,file:///a%00b.wav", "03,03.wav"]
    (tmp_path / "catalog.csv").write_text("\n".join(rows) + "\n")
    ended = run_pipeline("build", "--catalog", catalog, "--dataset", root, timeout=60)  # a process can be killed
    assert ended.returncode == 0, ended.stderr
    assert "up to date, nothing to decode\n  tracks    4 of the catalog, 4 stored" in ended.stdout


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, root = small_catalog(tmp_path, 4), str(tmp_path / "data")
    read: list[str] = []
    monkeypatch.setattr(sources, "source_checksum", lambda path: read.append(path) or checksum(path))
    monkeypatch.setattr(sources, "_SETTLED_NS", -(1 << 62))  # the files of this test are newer than real ones
    build(catalog, root, BuildOptions(workers=1))
    build(catalog, root, BuildOptions(workers=1))
    assert read == []
    os.utime(tmp_path / "02.wav")  # updates the change time, as rewriting a file does
    build(catalog, root, BuildOptions(workers=1))
    build(catalog, root, BuildOptions(workers=1))
    assert read == [str(tmp_path / "02.wav")]


def test_a_file_of_a_moment_ago_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, root = small_catalog(tmp_path, 2), str(tmp_path / "data")
    build(catalog, root, BuildOptions(workers=1))
    read: list[str] = []
    monkeypatch.setattr(sources, "source_checksum", lambda path: read.append(path) or checksum(path))
    build(catalog, root, BuildOptions(workers=1))
    assert len(read) == 2


def test_changed_sources_in_a_store_are_found_by_its_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, root = small_catalog(tmp_path, 2), str(tmp_path / "data")
    build(catalog, root, BuildOptions(workers=1))
    known = Dataset.open(root).newest_tracks()["source_checksum"].to_pylist()
    listing = {"gs://bucket/a/00.wav": known[0], "gs://bucket/b/01.wav": "md5hash:other"}
    asked: list[str] = []
    monkeypatch.setattr(sources, "store_checksums", lambda folders: asked.extend(folders) or listing)
    table = pa.table({"track_id": ["01", "00"], "uri": ["b/01.wav", "a/00.wav"]})
    changed = sources.changed_tracks(Dataset.open(root), table, "gs://bucket", lambda done, total: None)
    assert changed.to_pylist() == ["01"]
    assert asked == ["gs://bucket/a", "gs://bucket/b"]
