"""Every Beam runner that is available here writes the same bytes, chosen with the options that a user would give."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import RunPipeline, small_catalog

# Prism is a separate program (`go install github.com/apache/beam/sdks/v2/go/cmd/prism@VERSION`).
PRISM = shutil.which("prism")
RUNNERS = {
    "direct": ["--runner=DirectRunner"],
    "bundle-based": ["--runner=BundleBasedDirectRunner"],
    "portable": ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"],
    "prism": ["--runner=PrismRunner", f"--prism_location={PRISM}", "--environment_type=LOOPBACK"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNNERS)
def test_every_runner_writes_the_same_bytes(
    name: str, tmp_path: Path, run_pipeline: RunPipeline, contents: Callable[..., dict[str, str]]
) -> None:
    if name == "prism" and PRISM is None:
        pytest.skip("there is no prism on the path")
    catalog = small_catalog(tmp_path, 12, seconds=0.5)
    build = ("build", "--catalog", catalog, "--shards", 4, "--dataset")
    for folder, options in (("here", ()), ("there", ("--", *RUNNERS[name]))):
        ended = run_pipeline(*build, tmp_path / folder, *options)
        assert ended.returncode == 0, ended.stderr
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
