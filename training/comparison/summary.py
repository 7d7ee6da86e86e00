"""The closing words of a comparison of two runs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from schemas.console.report import Column, Line, Report, Table, heading, widest
from training.comparison.result import Comparison, Difference, Gate, Metric, RunTracks, TagComparison
from training.metrics.intervals import too_few_groups

SHOWN_TAGS = 5  # from each end of the ranking
LEAST_P = 0.001  # shown; of a smaller one the digits say nothing
_NAMES: dict[str, str] = {"pr_auc": "PR-AUC", "roc_auc": "ROC-AUC"}


def comparison_report(result: Comparison, metric: Metric, gate: Gate | None) -> Report:
    """The figures in the mean, the tags that gained and lost most, what was left out, and the gate's verdict."""
    return Report.of(_parts(result, metric, gate))


def _parts(result: Comparison, metric: Metric, gate: Gate | None) -> Iterator[Line | Table]:
    a, b = result.run_a.folder.root, result.run_b.folder.root
    shared = f"{len(result.tags)} tags of {result.labels.reference}"
    yield heading(
        f"{b} against {a} on {result.tracks:,} of {result.split_tracks:,} {result.split} tracks, {shared}; "
        f"differences with 95 % intervals over {result.groups:,} whole {'group' if result.groups == 1 else 'groups'}:"
    )
    means = tuple((f"mean {_NAMES[name]}", _difference(result.macro[name])) for name in ("pr_auc", "roc_auc"))
    yield Table((Column(width=len("mean ROC-AUC ")), Column(gap=" ")), means)
    ranked = result.ranked(metric)
    best = ranked[:SHOWN_TAGS]
    worst = ranked[max(len(best), len(ranked) - SHOWN_TAGS) :]
    yield from _tags(f"{_NAMES[metric]} of {'the tags' if not worst else 'the tags that gained most'}:", best, metric)
    if worst:
        yield from _tags("of those that gained least or lost most:", worst, metric)
    yield from map(Line, _not_told(result, metric))
    if result.undefined:
        yield Line(f"  tags without a positive or without a negative: {', '.join(result.undefined)}")
    for run in (result.run_a, result.run_b):
        yield from map(Line, _left_out(run, result.labels.reference))
    yield Line(f"  written to {result.uri}")
    if gate is not None:
        yield Line(_verdict(gate, b, result), "heading" if gate.passed else "problem")


def _tags(title: str, tags: list[TagComparison], metric: Metric) -> Iterator[Line | Table]:
    if tags:
        yield Line(f"  {title}")
        columns = (Column(width=widest([one.tag for one in tags]), gap="    "), Column())
        yield Table(columns, tuple((one.tag, _difference(getattr(one, metric))) for one in tags))


def _difference(one: Difference) -> str:
    if math.isnan(one.value):
        return "not defined"
    figures = f"{one.a:.4f} -> {one.b:.4f}  {one.value:+.4f}"
    if math.isnan(one.interval[0]):
        return figures
    p = f"p {one.p:.3f}" if one.p >= LEAST_P else f"p < {LEAST_P}"
    return f"{figures} [{one.interval[0]:+.4f}, {one.interval[1]:+.4f}]  {p}"


def _not_told(result: Comparison, metric: Metric) -> list[str]:
    """Name the figures that have no interval, and why."""
    if result.is_defined and math.isnan(result.macro[metric].interval[0]):
        return [f"  {too_few_groups(result.groups)}"]
    tags = [one.tag for one in result.ranked(metric) if math.isnan(getattr(one, metric).interval[0])]
    if tags:
        return [f"  tags with too few groups for an interval: {', '.join(sorted(tags))}"]
    return []


def _left_out(run: RunTracks, reference: str) -> list[str]:
    root = run.folder.root
    reasons = (
        (run.absent, "its dataset does not hold them"),
        (run.removed, "they were removed from its dataset"),
        (run.seen, "it was trained or chosen by them"),
    )
    lines = [f"  {count:,} tracks were left out for {root}: {reason}" for count, reason in reasons if count]
    if run.unknown:
        lines.append(f"  tags of {reference} that {root} lacks: {', '.join(run.unknown)}")
    return lines


def _verdict(gate: Gate, root: str, result: Comparison) -> str:
    if not gate.is_judged:
        why = too_few_groups(result.groups) if result.is_defined else "no tag has both a positive and a negative track"
        return f"failed: {why}"
    name, limit = _NAMES[gate.metric], f"{gate.limit:g}"
    if gate.passed:
        return f"passed: the interval excludes that {root} loses more than {limit} of mean {name}"
    if gate.is_proven:
        return f"failed: {root} loses more than {limit} of mean {name}"
    return (
        f"failed: the interval does not exclude that {root} loses more than {limit} of mean {name}; compare on more tracks, "
        "or let more pass"
    )
