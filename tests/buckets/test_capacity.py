"""The requests that `benchmarks.capacity` counts for a track and for a shard are those that a build makes."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.capacity_work import READS_PER_SHARD, READS_PER_TRACK, READS_TO_CLOSE, WRITES_PER_SHARD
from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from tests.buckets.conftest import Bucket
from tests.buckets.proxy import Proxy
from tests.conftest import TRACKS, SmallCorpus

WRITES = ("upload", "session", "chunk")


@pytest.mark.slow
def test_a_build_makes_as_many_requests_as_the_model_of_large_builds_counts(
    store: Proxy, bucket: Bucket, small_corpus: SmallCorpus
) -> None:
    bucket.upload(small_corpus.folder, "music")
    made: list[Counter[str]] = []
    for dataset, shards in (("few", 1), ("many", 6)):
        store.forget()
        options = BuildOptions(workers=1, shards=shards, max_reject_rate=1.0)
        assert build(bucket.uri("music/catalog.csv"), bucket.uri(dataset), options).records == TRACKS
        counts = Counter(
            f"{'music' if request.name.startswith('music') else 'data'} {'write' if request.kind in WRITES else 'read'}"
            for request in list(store.requests)
        )
        counts["shards"] = sum(name.startswith("tracks/gen-000/part-") for name in bucket.infos(dataset))
        made.append(counts)
    few, many = made
    more = many["shards"] - few["shards"]
    assert more >= 4  # an empty shard is left out
    assert many["data write"] - few["data write"] == more * WRITES_PER_SHARD
    reads = (many["data read"] - few["data read"]) / more
    assert reads == pytest.approx(READS_PER_SHARD + READS_TO_CLOSE, rel=0.15)  # progress is polled now and then
    assert many["music read"] / TRACKS == pytest.approx(READS_PER_TRACK, rel=0.15)
