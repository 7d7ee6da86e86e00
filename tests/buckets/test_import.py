"""An import of published files in a bucket writes the same bytes as one of the same files on a local disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.buckets.conftest import Bucket, Shell, ended
from tests.pipeline.importers.small_publications import write_msd_files

pytestmark = pytest.mark.slow


def test_an_import_from_a_bucket_into_a_bucket_gives_the_bytes_of_a_local_one(
    tmp_path: Path, shell: Shell, bucket: Bucket, contents: Callable[..., dict[str, str]]
) -> None:
    files = [Path(file) for file in write_msd_files(tmp_path / "msd")]
    bucket.upload(tmp_path / "msd", "msd")
    root = ("--audio-root", bucket.uri("audio"))
    shell.run("import", "msd", *files, *root, "--out", tmp_path / "out")
    printed = shell.run(
        "import", "msd", *(bucket.uri(f"msd/{file.name}") for file in files), *root, "--out", bucket.uri("out")
    )
    assert bucket.contents("out") == contents(tmp_path / "out")
    assert f"--catalog {bucket.uri('out/catalog.parquet')} " in printed

    absent = bucket.uri("msd/absent.txt")
    code, _, words = ended(shell.start("import", "msd", absent, *root, "--out", bucket.uri("out")))
    assert (code, words) == (2, f"error: {absent}: no such file; check the path\n")
