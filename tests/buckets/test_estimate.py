"""An estimate of a catalog in a bucket reads its sample from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.buckets.conftest import Bucket, Shell
from tests.conftest import TRACKS, SmallCorpus


@pytest.mark.slow
def test_the_estimated_bytes_are_those_of_a_build_of_local_files(
    shell: Shell, bucket: Bucket, small_corpus: SmallCorpus, built_dataset: Path
) -> None:
    bucket.upload(small_corpus.folder, "music")
    asked = ("--catalog", bucket.uri("music/catalog.csv"), "--sample", str(TRACKS), "--workers", "2", "--json")
    found = json.loads(shell.run("estimate", *asked))
    assert found["rejects"] == {}
    for family, size in found["bytes"].items():
        built = (built_dataset / "features").glob(f"{family}-*/**/*.tfrecord")
        assert size["value"] == sum(path.stat().st_size for path in built)
