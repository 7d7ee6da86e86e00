"""The index of tags in a bucket."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic_tags import TaggedTracks, write_generation
from pipeline.search.page import write_page
from pipeline.search.similar import SimilarOptions, similar
from tests.buckets.conftest import Bucket
from tests.buckets.proxy import Proxy

pytestmark = pytest.mark.slow


def test_a_search_in_a_bucket_finds_what_it_finds_on_a_disk(bucket: Bucket, store: Proxy, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tracks = TaggedTracks(
        ids=[f"track {number}" for number in range(40)],
        groups=[f"artist {number // 4}" for number in range(40)],
        embeddings=rng.random((40, 9)).astype(np.float16),
        scores=rng.random((40, 3)).astype(np.float16),
        pcm=[f"{number:064x}" for number in range(40)],
    )
    write_generation(tmp_path / "tags", tracks)
    bucket.upload(tmp_path / "tags", "tags")
    options = SimilarOptions(conditions=["tag 1>0.2"], not_same_group=True, not_same_audio=True)
    here = similar(str(tmp_path / "tags"), track="track 7", options=options)
    for _ in range(2):  # the first makes the index
        there = similar(bucket.uri("tags"), track="track 7", options=options)
        assert dataclasses.replace(there, tags=here.tags) == here
    assert similar(bucket.uri("tags"), track="track 7", options=SimilarOptions(exact_up_to=0)).exact
    made = {path.name: path.read_bytes() for path in (tmp_path / "tags" / "index").iterdir()}
    assert {name: bucket.get(f"tags/index/{name}") for name in made} == made
    write_page(there, bucket.uri("page.html"))
    assert b"track 7" in bucket.get("page.html")
