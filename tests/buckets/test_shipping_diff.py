"""Two folders of tags in a bucket are compared as on a disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic_tags import TaggedTracks, write_generation
from tests.buckets.conftest import Bucket
from tests.buckets.proxy import Proxy
from training.shipping_diff.compare_tags import DiffOptions, compare_tags
from training.shipping_diff.page import write_page

pytestmark = pytest.mark.slow


def test_a_comparison_in_a_bucket_finds_what_it_finds_on_a_disk(bucket: Bucket, store: Proxy, tmp_path: Path) -> None:
    for seed, name in enumerate(("old", "new")):
        rng = np.random.default_rng(seed)
        tracks = TaggedTracks(
            ids=[f"track {number}" for number in range(40)],
            groups=[f"artist {number // 4}" for number in range(40)],
            embeddings=np.zeros((40, 2), np.float16),
            scores=rng.random((40, 3)).astype(np.float16),
            pcm=[f"{number:064x}" for number in range(40)],
        )
        write_generation(tmp_path / name, tracks)
        bucket.upload(tmp_path / name, name)
    here = compare_tags(str(tmp_path / "old"), str(tmp_path / "new"), DiffOptions(by="group"))
    there = compare_tags(bucket.uri("old"), bucket.uri("new"), DiffOptions(by="group"))
    sides = {name: dataclasses.replace(getattr(there, name), root=getattr(here, name).root) for name in ("old", "new")}
    assert dataclasses.replace(there, **sides) == here
    assert here.flips > 0
    write_page(there, bucket.uri("diff.html"))
    assert here.examples[0].track_id.encode() in bucket.get("diff.html")
