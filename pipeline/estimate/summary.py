"""The closing words of an estimate."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from pipeline.audio.limits import MAX_SECONDS
from pipeline.decode.options import MAX_REJECT_RATE, BuildOptions
from pipeline.estimate.estimate import Estimate
from pipeline.estimate.extrapolate import Interval
from pipeline.estimate.options import EstimateOptions
from schemas.console.report import Column, Line, Report, Table, following, heading, warning
from schemas.console.shown_commands import pipeline_command


def estimate_report(estimate: Estimate, build: BuildOptions, options: EstimateOptions) -> Report:
    """Totals with their intervals, time and cost by workers, rejects of the sample, and what to type next."""
    return Report.of(_parts(estimate, build, options))


def _parts(estimate: Estimate, build: BuildOptions, options: EstimateOptions) -> Iterator[Line | Table]:
    whole = estimate.sampled == estimate.tracks
    how = "all of them" if whole else f"{estimate.sampled:,} of them (seed {estimate.seed})"
    yield heading(f"{estimate.catalog}: {estimate.tracks:,} tracks, estimated from {how} in {estimate.seconds:.1f} s")
    yield Line(f"  core-hours  {_spread(estimate.core_hours, _number)}")
    for family, size in estimate.bytes.items():
        yield Line(f"  {family:<11} {_spread(size, _size)}")
    share = _spread(estimate.reject_share, lambda value: f"{100 * value:.1f} %")
    yield Line(f"  rejects     {sum(estimate.rejects.values()):,} of {estimate.sampled:,}: {share} of all")
    for cause, count in estimate.rejects.items():
        track, message = estimate.examples[cause]
        yield Line(f"              {count:,} {cause}, such as {track}: {message}")
    if estimate.reject_share.value > MAX_REJECT_RATE:
        yield warning(f"a build fails above --max-reject-rate {MAX_REJECT_RATE:g} unless a higher one is given")
    yield Line(
        f"  starting    {estimate.job.cpu:.1f} s of CPU for the job, {estimate.worker.cpu:.1f} s for each worker"
    )
    yield Line(
        f"  shards      {estimate.shards:,}; one is the unit of work, so further workers would have nothing to do"
    )
    yield _by_workers(estimate)
    yield Line(f"  storage     {_spread(estimate.storage_dollars_month, _dollars)} a month")
    prices = options.prices
    yield Line(
        f"  prices      ${prices.vcpu_hour:g} a vCPU hour, ${prices.memory_gb_hour:g} a GB-hour of {options.memory_gb:g} GB "
        f"a worker, ${prices.storage_gb_month:g} a GB-month"
    )
    if not whole:
        by = "the catalog's durations" if estimate.by_duration else "the mean per track: not every row has a duration"
        yield Line(f"  in brackets 95 % intervals, of the sampling alone, by {by}")
    yield following(next_command(estimate, build))


def estimate_fields(estimate: Estimate, build: BuildOptions, options: EstimateOptions) -> dict[str, Any]:
    """The same as JSON holds it."""
    fields = {**dataclasses.asdict(estimate), "options": dataclasses.asdict(options)}
    return {**fields, "next": next_command(estimate, build)}


def next_command(estimate: Estimate, build: BuildOptions) -> str:
    """The build that was estimated."""
    words = ["build", "--catalog", estimate.catalog, "--dataset", "DATASET"]
    words += ["--excerpt", build.excerpt] if build.excerpt else []
    words += ["--families", ",".join(build.families)] if build.families else []
    words += ["--shards", str(build.shards)] if build.shards else []
    words += ["--decoder", build.decoder] if build.decoder != "auto" else []
    words += ["--strict"] * build.strict
    words += ["--max-seconds", f"{build.max_seconds:g}"] if build.max_seconds != MAX_SECONDS else []
    return pipeline_command(*words)


def _by_workers(estimate: Estimate) -> Table:
    rows = []
    for at in estimate.at:
        idle = "" if at.busy == at.workers else f", no more than {at.busy:,} of them have work"
        cost = f"{_spread(at.wall_seconds, _duration)}, {_spread(at.dollars, _dollars)}{idle}"
        rows.append((f"{at.workers:,}", "worker" if at.workers == 1 else "workers", cost))
    return Table((Column(width=5, right=True), Column(width=len("workers"), gap=" "), Column()), tuple(rows))


def _spread(interval: Interval, spelled: Callable[[float], str]) -> str:
    value, low, high = (spelled(one) for one in (interval.value, interval.low, interval.high))
    return value if low == high == value else f"{value} ({low} to {high})"


def _number(value: float) -> str:
    """Three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _size(size: float) -> str:
    unit, name = next((one for one in ((1e12, "TB"), (1e9, "GB")) if size >= one[0]), (1e6, "MB"))
    return f"{_number(size / unit)} {name}"


def _duration(seconds: float) -> str:
    unit, name = next((one for one in ((3600, "h"), (60, "min")) if seconds >= one[0]), (1, "s"))
    return f"{_number(seconds / unit)} {name}"


def _dollars(amount: float) -> str:
    return f"${amount:,.0f}" if amount >= 100 else f"${amount:.2f}"
