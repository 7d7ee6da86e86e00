"""The names of a dataset's files are a contract: scripts outside this repository read them."""

from __future__ import annotations

from schemas.features import LogMelSpec
from schemas.layout import Layout


def test_every_file_lies_where_the_documented_layout_says() -> None:
    layout = Layout("gs://bucket/data")
    digest = "0123456789abcdef" * 4
    assert layout.manifest == "gs://bucket/data/dataset.json"
    assert layout.plan(0) == "gs://bucket/data/plan/gen-000.parquet"
    spec = LogMelSpec()
    folder = f"gs://bucket/data/features/logmel-{spec.fingerprint}/gen-012"
    assert layout.features(spec, 12) == folder
    assert layout.payload(spec, 12, 17, digest) == f"{folder}/part-00017-0123456789abcdef.tfrecord"
    assert layout.done_mark(spec, 12, 17) == f"{folder}/part-00017.json"
    assert layout.tracks_part(0, 17) == "gs://bucket/data/tracks/gen-000/part-00017.parquet"
    assert layout.tracks(0) == "gs://bucket/data/tracks/gen-000.parquet"
    assert layout.split("default", "abc") == "gs://bucket/data/splits/default/abc.parquet"
    assert layout.label_log("moods") == "gs://bucket/data/labels/moods/log.jsonl"
    assert layout.label_version("moods", "abc") == "gs://bucket/data/labels/moods/abc"
    assert layout.run_summary("build") == "gs://bucket/data/runs/build.json"
