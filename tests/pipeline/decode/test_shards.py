"""A shard is written whole, the same by any twin task, and its done marks are written last and never replaced."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.decode.shards import ShardJob, ShardWriter
from schemas.dataset_manifest import DatasetManifest
from schemas.features import LogMelSpec, WaveformSpec, specs_for
from tests.conftest import SmallCorpus

Contents = Callable[..., dict[str, str]]


@pytest.fixture
def job(dataset: Path, small_corpus: SmallCorpus) -> ShardJob:
    """The job of a dataset that is built already."""
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    return ShardJob(str(dataset), 0, manifest.families, str(small_corpus.folder))


def marks_of(dataset: Path, shard: int) -> list[Path]:
    return sorted((dataset / "features").rglob(f"part-{shard:05d}.json"))


def test_a_late_twin_of_a_finished_shard_changes_nothing(job: ShardJob, dataset: Path, contents: Contents) -> None:
    before = contents(dataset)
    with ShardWriter(job) as writer:
        counts = writer.write(1)
    assert (counts.shard, counts.rejects) == (1, {})
    assert contents(dataset) == before


def test_payloads_are_named_by_their_own_hash_and_marks_name_them(dataset: Path) -> None:
    for mark in marks_of(dataset, 2):
        fields = json.loads(mark.read_text())
        assert fields["payload"] == f"part-00002-{fields['sha256'][:16]}.tfrecord"
        assert (mark.parent / fields["payload"]).stat().st_size == fields["bytes"]


def test_other_audio_never_replaces_a_finished_shard(
    job: ShardJob, dataset: Path, tmp_path: Path, small_corpus: SmallCorpus
) -> None:
    audio = tmp_path / "audio"
    shutil.copytree(small_corpus.folder / "audio", audio)
    for path in audio.rglob("*.*"):
        shutil.copy(small_corpus.folder / small_corpus.rows[0][1], path)
    marks = {mark: mark.read_bytes() for mark in marks_of(dataset, 1)}
    payloads = {path: path.read_bytes() for path in dataset.rglob("part-00001-*.tfrecord")}
    changed = dataclasses.replace(job, audio_root=str(tmp_path))
    with ShardWriter(changed) as writer:
        writer.write(1)
    assert {mark: mark.read_bytes() for mark in marks} == marks
    assert {path: path.read_bytes() for path in payloads} == payloads


def test_a_shard_that_fails_half_way_leaves_no_file(
    job: ShardJob, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in dataset.rglob("part-00003*"):
        path.unlink()
    with ShardWriter(job) as writer:
        monkeypatch.setattr(
            writer._decoding, "features", lambda path, pieces: (_ for _ in ()).throw(OSError("disk full"))
        )
        with pytest.raises(OSError, match="disk full"):
            writer.write(3)
    assert [path for path in dataset.rglob("*") if path.name.startswith((".tmp-", "part-00003"))] == []


def test_a_job_of_waveforms_alone_still_has_a_spectrogram_spec_over_them(job: ShardJob) -> None:
    alone = dataclasses.replace(job, families=specs_for(("waveform",), "start:5"))
    assert alone.logmel_spec == LogMelSpec(WaveformSpec("start:5"))
    assert job.logmel_spec == job.families["logmel"]
