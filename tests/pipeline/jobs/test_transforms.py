"""In the Beam pipeline, only shard numbers and small counts flow between the steps."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.common_urns import resource_hints
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.resources import resource_hints_from_options

from pipeline.decode.shards import ShardJob
from pipeline.jobs.counters import counters_of
from pipeline.jobs.runner import stated_needs
from pipeline.jobs.shard_job import GenerationJob, ShardCounts
from pipeline.jobs.transforms import WriteShards
from pipeline.tagging.shards import TagShardJob
from schemas.dataset_manifest import DatasetManifest
from tests.conftest import SmallCorpus

GRAPH_BYTES = 32 << 10  # limit for the job graph of 7,500 shards or 1.5 million tracks; Dataflow accepts 10 MB


def job_of(dataset: Path, corpus: SmallCorpus) -> ShardJob:
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    return ShardJob(str(dataset), 0, manifest.families, str(corpus.folder))


def test_each_missing_shard_gives_its_counts_and_a_finished_one_none(dataset: Path, small_corpus: SmallCorpus) -> None:
    rows = dict.fromkeys(range(4), 0)
    import pyarrow.parquet as pq

    table = pq.read_table(dataset / "tracks" / "gen-000.parquet").to_pylist()
    for shard in rows:
        rows[shard] = sum(row["shard"] == shard for row in table)
    for shard in (0, 2):
        for mark in (dataset / "features").rglob(f"part-{shard:05d}.json"):
            mark.unlink()
    seconds = {shard: sum(row["seconds"] for row in table if row["shard"] == shard) for shard in rows}
    size = {
        shard: sum(path.stat().st_size for path in (dataset / "features").rglob(f"part-{shard:05d}-*.tfrecord"))
        for shard in (0, 2)
    }
    expected = [ShardCounts(shard, rows[shard], {}, seconds[shard], size[shard]) for shard in (0, 2)]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        counts = pipeline | WriteShards(job_of(dataset, small_corpus), range(4))
        assert_that(counts | beam.Map(dataclasses.replace, spent={}), equal_to(expected))
    counters = {one.key.metric.name: one.result for one in pipeline.result.metrics().query()["counters"]}
    own = {name: counters[name] for name in ("shards", "records", "audio_seconds", "rejects", "bytes")}
    assert own == {
        "shards": 2,
        "records": rows[0] + rows[2],
        "audio_seconds": round(seconds[0]) + round(seconds[2]),
        "rejects": 0,
        "bytes": sum(size.values()),
    }
    assert {name for name in counters if name.endswith("_milliseconds")} == {
        f"{part}_milliseconds" for part in ("fetch", "decode", "logmel", "write")
    }
    assert counters_of(pipeline.result) == dict(sorted(counters.items()))


def test_the_job_graph_stays_small_whatever_the_catalogs_size(built_dataset: Path, small_corpus: SmallCorpus) -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    pipeline | WriteShards(job_of(built_dataset, small_corpus), range(7_500))
    assert len(pipeline.to_runner_api().SerializeToString()) < GRAPH_BYTES


@pytest.mark.parametrize(("kind", "size"), [(ShardJob, b"2000000000"), (TagShardJob, b"3000000000")])
def test_the_graph_says_what_a_worker_needs(
    kind: type[GenerationJob],
    size: bytes,
    built_dataset: Path,
    small_corpus: SmallCorpus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ShardJob, "memory", kind.memory)
    job = job_of(built_dataset, small_corpus)
    options = PipelineOptions([*stated_needs(job), "--environment_type=EXTERNAL", "--environment_config=pool:1"])
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=options)
    pipeline | WriteShards(job, range(3))
    graph = pipeline.to_runner_api(default_environment=PortableRunner._create_environment(options)).components
    needs = {resource_hints.MIN_RAM_BYTES.urn: size, resource_hints.CPU_COUNT.urn: b"1"}
    (environment,) = graph.environments.values()  # a second one would start workers of its own
    assert dict(environment.resource_hints) == needs


def test_what_a_user_says_of_workers_goes_over_it(built_dataset: Path, small_corpus: SmallCorpus) -> None:
    job = job_of(built_dataset, small_corpus)
    options = PipelineOptions([*stated_needs(job), "--resource_hints=min_ram=8GB"])
    assert resource_hints_from_options(options)[resource_hints.MIN_RAM_BYTES.urn] == b"8000000000"


def test_rejects_are_counted_by_cause(dataset: Path, small_corpus: SmallCorpus, tmp_path: Path) -> None:
    for mark in (dataset / "features").rglob("part-00001.json"):
        mark.unlink()
    job = dataclasses.replace(job_of(dataset, small_corpus), audio_root=str(tmp_path / "elsewhere"))
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        pipeline | WriteShards(job, [1])
    counters = {one.key.metric.name: one.result for one in pipeline.result.metrics().query()["counters"]}
    assert counters["rejects_not_found"] == counters["rejects"] > 0
    assert counters["records"] == 0
