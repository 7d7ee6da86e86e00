"""The printed summary of an estimate."""

from __future__ import annotations

import dataclasses

from pipeline.decode.options import BuildOptions
from pipeline.estimate.cost_sample import Spent
from pipeline.estimate.estimate import AtWorkers, Estimate
from pipeline.estimate.extrapolate import Interval
from pipeline.estimate.options import EstimateOptions
from pipeline.estimate.summary import estimate_report
from schemas.console.shown_commands import pipeline_command

ESTIMATE = Estimate(
    catalog="my music.csv",
    tracks=1_500_000,
    sampled=50,
    seed=0,
    by_duration=True,
    core_hours=Interval(412.3, 398.1, 426.0),
    bytes={"logmel": Interval(5.4e11, 5.3e11, 5.5e11), "waveform": Interval(1.44e12, 1.4e12, 1.48e12)},
    rejects={"not_found": 3},
    examples={"not_found": ("17", "no such file")},
    reject_share=Interval(0.06, 0.0125, 0.1655),
    shards=32,
    job=Spent(1.72, 1.9),
    worker=Spent(1.61, 1.7),
    shard=Spent(0.005, 0.007),
    at=(
        AtWorkers(1, 1, Interval(412.3, 398.1, 426.0), Interval(1.5e6, 1.4e6, 1.6e6), Interval(28.9, 27, 30.8)),
        AtWorkers(64, 32, Interval(412.4, 398.2, 426.1), Interval(2400.0, 2300, 2500), Interval(140.2, 139, 141)),
    ),
    storage_dollars_month=Interval(36.9, 36.0, 37.8),
    seconds=7.25,
)


def test_totals_come_with_their_intervals_and_the_build_to_type() -> None:
    build = BuildOptions(excerpt="full", families=("logmel", "waveform"), shards=32, strict=True)
    assert estimate_report(ESTIMATE, build, EstimateOptions()).lines() == [
        "my music.csv: 1,500,000 tracks, estimated from 50 of them (seed 0) in 7.2 s",
        "  core-hours  412 (398 to 426)",
        "  logmel      540 GB (530 GB to 550 GB)",
        "  waveform    1.44 TB (1.4 TB to 1.48 TB)",
        "  rejects     3 of 50: 6.0 % (1.2 % to 16.6 %) of all",
        "              3 not_found, such as 17: no such file",
        "  warning: a build fails above --max-reject-rate 0.05 unless a higher one is given",
        "  starting    1.7 s of CPU for the job, 1.6 s for each worker",
        "  shards      32; one is the unit of work, so further workers would have nothing to do",
        "      1 worker   417 h (389 h to 444 h), $28.90 ($27.00 to $30.80)",
        "     64 workers  40 min (38.3 min to 41.7 min), $140 ($139 to $141), no more than 32 of them have work",
        "  storage     $36.90 ($36.00 to $37.80) a month",
        "  prices      $0.056 a vCPU hour, $0.003557 a GB-hour of 3.75 GB a worker, $0.02 a GB-month",
        "  in brackets 95 % intervals, of the sampling alone, by the catalog's durations",
        f"next: {pipeline_command()} build --catalog 'my music.csv' --dataset DATASET --excerpt full "
        "--families logmel,waveform --shards 32 --strict",
    ]


def test_where_all_were_decoded_nothing_is_in_brackets() -> None:
    sure = Interval(0.25, 0.25, 0.25)
    whole = dataclasses.replace(ESTIMATE, tracks=50, core_hours=sure, reject_share=sure, bytes={}, at=(), rejects={})
    whole = dataclasses.replace(whole, storage_dollars_month=sure)
    words = str(estimate_report(whole, BuildOptions(), EstimateOptions()))
    assert "50 tracks, estimated from all of them in" in words
    assert "in brackets" not in words
    assert "  core-hours  0.25\n" in words
