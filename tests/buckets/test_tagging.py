"""Tagging with catalog, audio, model and output in a bucket writes the bytes of a tagging on a local disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.tagging.options import TagOptions
from pipeline.tagging.tag import tag
from schemas.features import LogMelSpec, WaveformSpec
from tests.buckets.conftest import Bucket, Shell
from tests.conftest import SmallCorpus
from tests.pipeline.tagging.conftest import write_model

pytestmark = pytest.mark.slow


def test_a_catalog_in_a_bucket_is_tagged_there(
    small_corpus: SmallCorpus, shell: Shell, bucket: Bucket, tmp_path: Path, contents: Callable[..., dict[str, str]]
) -> None:
    music = Path(shutil.copytree(small_corpus.folder, tmp_path / "music"))
    model = write_model(music / "model", LogMelSpec(WaveformSpec("full")))
    bucket.upload(music, "music")
    tag(str(model), str(tmp_path / "tags"), catalog=str(music / "catalog.csv"), options=TagOptions(workers=1, shards=3))
    out = bucket.uri("tags")
    words = ("--model", bucket.uri("music/model"), "--catalog", bucket.uri("music/catalog.csv"), "--out", out)
    printed = shell.run("tag", *words, "--workers", "1", "--shards", "3")
    assert "24, 24 scored" in printed
    remote, local = bucket.contents("tags"), contents(tmp_path / "tags")
    # Sources in a store have the store's checksums, and the manifest names the catalog.
    differ = {name for name in local if remote.get(name) != local[name]}
    assert {name.split("/")[0] for name in differ} <= {"tags.json", "tracks", "scores"}
    assert {name for name in differ if name.endswith(".parquet") and name.startswith("scores")} == set()
    assert "everything reconciles" in shell.run("verify", "--tags", out)
    assert "up to date, nothing to score" in shell.run("tag", *words, "--workers", "1")
