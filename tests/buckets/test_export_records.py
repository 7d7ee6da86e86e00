"""An export from a bucket into a bucket has the bytes of the same export on a local disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.export_records.export import ExportOptions, export_records
from pipeline.labels.overlay import lay_labels
from tests.buckets.conftest import Bucket, Shell
from tests.conftest import SmallCorpus

pytestmark = pytest.mark.slow


def test_an_export_into_a_bucket_is_the_local_one(
    dataset: Path,
    small_corpus: SmallCorpus,
    bucket: Bucket,
    shell: Shell,
    tmp_path: Path,
    contents: Callable[..., dict[str, str]],
) -> None:
    lay_labels(str(dataset), [small_corpus.annotations], small_corpus.label_set)
    bucket.upload(dataset, "data")
    export_records(str(dataset), "small", str(tmp_path / "out"), ExportOptions(workers=1))
    command = ("export-records", "--dataset", bucket.uri("data"), "--label-set", "small", "--out", bucket.uri("out"))
    assert "written: " in shell.run(*command, "--workers", "2")
    assert bucket.contents("out") == contents(tmp_path / "out")
    assert "complete already" in shell.run(*command)
