"""Reading an excerpt of a long file in a bucket fetches only the bytes that it needs, and yields the whole file's samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from tests.buckets.conftest import Bucket
from tests.buckets.proxy import Proxy

pytestmark = pytest.mark.slow

MINUTES = 3
RATE = 44_100


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a long recording in each format."""
    folder = tmp_path_factory.mktemp("recordings")
    noise = np.random.default_rng(0).normal(scale=0.05, size=(MINUTES * 60 * RATE, 2)).astype(np.float32)
    for ending in ("wav", "flac", "mp3"):
        soundfile.write(folder / f"long.{ending}", noise, RATE)
    return folder


@pytest.mark.parametrize(
    ("ending", "excerpt", "share"),
    [("wav", "center:5", 0.08), ("flac", "center:5", 0.1), ("mp3", "start:5", 0.15)],
)
def test_an_excerpt_of_a_long_file_costs_a_part_of_it(
    ending: str,
    excerpt: str,
    share: float,
    recordings: Path,
    store: Proxy,
    bucket: Bucket,
    tmp_path: Path,
    contents: Callable[..., dict[str, str]],
) -> None:
    whole = (recordings / f"long.{ending}").read_bytes()
    bucket.put(f"long/audio.{ending}", whole)
    for root in (bucket.uri("long"), str(recordings)):
        name = "audio" if root.startswith("gs://") else "long"
        catalog = tmp_path / f"{name}.csv"
        catalog.write_text(f"track_id,uri\nlong,{root}/{name}.{ending}\n")
        summary = build(str(catalog), str(tmp_path / name), BuildOptions(workers=1, excerpt=excerpt))
        assert summary.rejects == {}
    features = [contents(tmp_path / name, below="features") for name in ("audio", "long")]
    payloads = [[path for path in found if path.endswith(".tfrecord")] for found in features]
    assert payloads[0] == payloads[1] != []
    received = store.sent[f"long/audio.{ending}"]
    print(f"{ending} {excerpt}: {received:,} of {len(whole):,} bytes, {received / len(whole):.1%}")
    assert 0 < received <= share * len(whole)
