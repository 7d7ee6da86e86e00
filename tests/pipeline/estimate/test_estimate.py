"""An estimate agrees with the build that it predicts."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.decode.options import BuildOptions
from pipeline.estimate.cost_sample import Spent
from pipeline.estimate.estimate import Estimate, estimate
from pipeline.estimate.options import EstimateOptions, Prices
from schemas.console.errors import UserError
from schemas.console.shown_commands import pipeline_command
from schemas.dataset_manifest import DatasetManifest
from tests.conftest import TRACKS, SmallCorpus, small_catalog

WHOLE = EstimateOptions(sample=1000, workers=(1, 2, 64))


@pytest.fixture
def _no_startup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a job and a worker takes seconds; only the test in a separate process below does it."""
    monkeypatch.setattr("pipeline.estimate.estimate.measure_startup", lambda folder: (Spent(2, 2), Spent(1.5, 1.5)))


def payload_bytes(dataset: Path, family: str) -> int:
    return sum(path.stat().st_size for path in (dataset / "features").glob(f"{family}-*/**/*.tfrecord"))


@pytest.mark.usefixtures("_no_startup")
def test_a_sample_of_the_whole_catalog_predicts_the_exact_bytes(small_corpus: SmallCorpus, built_dataset: Path) -> None:
    found = estimate(small_corpus.catalog, BuildOptions(shards=4), WHOLE)
    assert (found.tracks, found.sampled, found.rejects) == (TRACKS, TRACKS, {})
    for family, size in found.bytes.items():
        assert size.low == size.value == size.high == payload_bytes(built_dataset, family)
    manifest = DatasetManifest.read(str(built_dataset / "dataset.json"))
    assert list(found.bytes) == list(manifest.families)
    assert found.shards == manifest.generations[0].shards
    assert found.core_hours.low == found.core_hours.high > 0


@pytest.mark.usefixtures("_no_startup")
def test_the_sample_depends_on_the_seed_and_the_ids_and_not_on_the_order_of_rows(
    small_corpus: SmallCorpus, tmp_path: Path
) -> None:
    def sampled(rows: Any, seed: int) -> tuple[object, ...]:
        catalog = small_corpus.catalog_of(tmp_path, tuple(rows))
        found = estimate(catalog, BuildOptions(), EstimateOptions(sample=6, seed=seed))
        spread = [round(end) for size in found.bytes.values() for end in dataclasses.astuple(size)]
        return found.shards, found.rejects, spread

    forwards = sampled(small_corpus.rows, 0)
    assert sampled(reversed(small_corpus.rows), 0) == forwards
    assert sampled(small_corpus.rows, 1) != forwards


@pytest.mark.usefixtures("_no_startup")
def test_an_interval_of_a_sample_holds_the_bytes_that_were_built(
    small_corpus: SmallCorpus, built_dataset: Path
) -> None:
    found = estimate(small_corpus.catalog, BuildOptions(), EstimateOptions(sample=12))
    for family, size in found.bytes.items():
        assert size.low < payload_bytes(built_dataset, family) < size.high


@pytest.mark.usefixtures("_no_startup")
def test_families_excerpt_and_strictness_are_those_of_the_build(tmp_path: Path) -> None:
    catalog = small_catalog(tmp_path, 4, seconds=3.0)
    cut = tmp_path / "01.wav"  # by its content it is an mp3 whose header claims too much
    soundfile.write(cut, np.random.default_rng(0).normal(scale=0.1, size=48_000), 16_000, format="MP3")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    found = estimate(catalog, BuildOptions(families=("waveform",), excerpt="start:1"), WHOLE)
    assert list(found.bytes) == ["waveform"]
    assert 4 * 32_000 < found.bytes["waveform"].value < 4 * 32_100
    assert found.rejects == {}
    assert estimate(catalog, BuildOptions(strict=True), WHOLE).rejects == {"truncated": 1}


@pytest.mark.usefixtures("_no_startup")
def test_rejects_are_counted_with_an_example_and_have_no_bytes(tmp_path: Path) -> None:
    catalog = small_catalog(tmp_path, 12, missing=2, broken=1)
    found = estimate(catalog, BuildOptions(families=("waveform",)), WHOLE)
    assert found.rejects == {"not_found": 2, "unsupported_format": 1}
    assert found.examples["not_found"] == ("10", f"no such file: {tmp_path / '10.wav'}")
    assert found.reject_share.value == found.reject_share.high == 0.25
    assert found.bytes["waveform"].value == pytest.approx(9 * 32_000, rel=0.01)
    part = estimate(catalog, BuildOptions(), EstimateOptions(sample=8))
    assert part.reject_share.low < 0.25 < part.reject_share.high


@pytest.mark.usefixtures("_no_startup")
def test_money_is_the_time_of_busy_workers_at_the_prices_given(small_corpus: SmallCorpus) -> None:
    prices = Prices(vcpu_hour=3600.0, memory_gb_hour=360.0, storage_gb_month=2.0**30)
    options = EstimateOptions(sample=8, workers=(1, 2, 64), memory_gb=10.0, prices=prices)
    found = estimate(small_corpus.catalog, BuildOptions(shards=4), options)
    assert [(at.workers, at.busy) for at in found.at] == [(1, 1), (2, 2), (64, found.shards)]
    for at in found.at:
        assert at.dollars.value == pytest.approx(at.busy * at.wall_seconds.value * 2)
        assert at.dollars.low < at.dollars.value < at.dollars.high
    assert found.storage_dollars_month.value == pytest.approx(sum(size.value for size in found.bytes.values()))


def test_nothing_but_rejects_and_a_wrong_excerpt_are_the_users_to_mend(tmp_path: Path) -> None:
    catalog = small_catalog(tmp_path, 3, missing=2, broken=1)
    with pytest.raises(
        UserError, match=r"all 3 tracks .* rejected \(2 not_found, such as 01: no such file: /.*/01.wav; 1 unsup"
    ):
        estimate(catalog, BuildOptions(), WHOLE)
    with pytest.raises(UserError, match="excerpt: expected full, start:SECONDS or center:SECONDS"):
        estimate(catalog, BuildOptions(excerpt="middle"), WHOLE)


# --- in a separate process ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_says_in_words_and_in_json_what_a_build_costs(run_pipeline: Any, small_corpus: SmallCorpus) -> None:
    asked = ("estimate", "--catalog", small_corpus.catalog, "--sample", "8", "--workers", "1,2", "--excerpt", "start:2")
    said = run_pipeline(*asked)
    assert said.returncode == 0, said.stderr
    words = [line.split()[0] for line in said.stdout.splitlines()]
    assert words[1:5] == ["core-hours", "logmel", "waveform", "rejects"]
    assert said.stdout.splitlines()[-1] == (
        f"next: {pipeline_command()} build --catalog {small_corpus.catalog} --dataset DATASET --excerpt start:2"
    )
    as_json = run_pipeline(*asked, "--price-vcpu-hour", "0", "--price-memory-gb-hour", "0", "--json")
    assert as_json.returncode == 0, as_json.stderr
    fields = json.loads(as_json.stdout)
    assert {field.name for field in dataclasses.fields(Estimate)} < set(fields)
    assert (fields["tracks"], fields["sampled"]) == (TRACKS, 8)
    assert [at["workers"] for at in fields["at"]] == [1, 2]
    assert {at["dollars"]["high"] for at in fields["at"]} == {0}
    assert fields["options"]["prices"]["storage_gb_month"] == 0.02
    assert all(math.isfinite(end) for end in fields["core_hours"].values())
    assert (
        0
        < fields["core_hours"]["value"]
        < fields["at"][0]["core_hours"]["value"]
        < fields["at"][1]["core_hours"]["value"]
    )


def test_what_is_wrong_is_reported_in_one_line_with_exit_2(run_pipeline: Any, tmp_path: Path) -> None:
    def refused(ended: subprocess.CompletedProcess[str], words: str) -> None:
        assert (ended.returncode, ended.stdout) == (2, "")
        assert len(ended.stderr.splitlines()) == 1, ended.stderr
        assert words in ended.stderr

    assert run_pipeline("estimate", "--help").stdout.startswith("Usage: ")
    catalog = small_catalog(tmp_path, 3, missing=3)
    for option, value, words in (
        ("--workers", "2,none", "--workers: expected whole numbers"),
        ("--families", "mfcc", "--families: expected logmel,waveform"),
        ("--price-vcpu-hour", "-1", "--price-vcpu-hour: expected a price"),
    ):
        refused(run_pipeline("estimate", "--catalog", catalog, option, value), words)
    refused(run_pipeline("estimate", "--catalog", catalog), "all 3 tracks that were tried were rejected (3 not_found")
