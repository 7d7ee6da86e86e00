"""The sections that need the scores of single tracks: examples of tags, and tags taken for each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.console.page import Cell, table
from training.evaluation.stored_scores import StoredScores
from training.report.cells import figure, meter, quiet, shown
from training.report.confusion import LEAST_TRACKS, SAME_RANKING, OneWay, TagPair, confused_pairs
from training.report.examples import Example, TagExamples, examples_of, worst_and_best
from training.report.run_facts import RunFacts


def example_section(facts: RunFacts, tracks: StoredScores) -> Iterator[str]:
    """The worst and the best tags, each with the tracks to listen to."""
    worst, best = worst_and_best(facts.tags)
    if not worst:
        return
    graded = bool(((tracks.targets > 0) & (tracks.targets < 1)).any())
    yield '<h2 id="examples">Worst and best tags</h2>'
    yield quiet(
        f"By ROC-AUC, with the {facts.split} tracks to listen to: those that the model gives the tag most surely though they "
        f"are not labelled with it, those that are and that it misses most, and its surest hits. "
        f"Each with its score{' and its label' if graded else ''}."
    )
    for title, tags in (("Worst", worst), ("Best", best)):
        if tags:
            cards = "".join(_card(one, graded) for one in examples_of(tags, tracks))
            yield f'<h3>{title}</h3><div class="tags">{cards}</div>'


def confusion_section(facts: RunFacts, tracks: StoredScores) -> Iterator[str]:
    """Near-synonyms and other tags that are taken for each other."""
    thresholds = {tag.tag: tag.number("threshold") for tag in facts.tags}
    has_thresholds = any(threshold == threshold for threshold in thresholds.values())
    yield '<h2 id="confusion">Tags taken for each other</h2>'
    if not has_thresholds:
        yield quiet(
            "The evaluation holds no threshold per tag, so that only rankings are compared; evaluate the run again."
        )
    pairs = confused_pairs(tracks, thresholds)
    if not pairs:
        yield quiet(
            f"None: no two tags are ranked alike (rank correlation of {SAME_RANKING:g} and more), and none is surely scored "
            f"high more often where only another is labelled (at least {LEAST_TRACKS} such tracks)."
        )
        return
    yield quiet(
        "Two tags A and B whose scores rank the tracks nearly alike, or of which one is scored above its threshold where only "
        "the other is labelled; beside it, how often the labels go together, and how often the same happens on tracks with "
        "neither (the mark on the bar). Near-synonyms can be merged in the label set; other pairs want examples of the one "
        "without the other."
    )
    yield table(
        [
            "A",
            "B",
            "#both labelled",
            "#rank correlation",
            "A labelled, B not: B is scored high",
            "B labelled, A not: A is scored high",
        ],
        [_pair_row(pair) for pair in pairs],
    )


def _pair_row(pair: TagPair) -> list[Cell]:
    return [
        *(shown(tag) for tag in pair.tags),
        pair.both,
        figure(pair.rank_correlation, 2),
        _one_way(pair.second),
        _one_way(pair.first),
    ]


def _one_way(way: OneWay) -> str:
    if way.high is None or not way.tracks:
        return f'<span class="small">{way.tracks:,} tracks</span>'
    elsewhere = "" if way.elsewhere != way.elsewhere else f", elsewhere {way.elsewhere:.0%}"
    return (
        f"{meter(way.high / way.tracks, chance=way.elsewhere)}{way.high / way.tracks:.0%} "
        f'<span class="small">{way.high:,} of {way.tracks:,}{elsewhere}</span>'
    )


def _card(one: TagExamples, graded: bool) -> str:
    result = one.result
    rows = "".join(
        f"<dt>{title}</dt><dd>{_tracks(examples, graded)}</dd>"
        for title, examples in (("not labelled", one.false_alarms), ("missed", one.misses), ("hits", one.hits))
    )
    return (
        f'<div class="tag"><h4>{shown(result.tag)}</h4><p class="small">ROC-AUC {figure(result.number("roc_auc"), 3)}, '
        f"PR-AUC {figure(result.number('pr_auc'), 3)}, {result.positives:,} of {result.tracks:,} tracks</p><dl>{rows}</dl></div>"
    )


def _tracks(examples: Sequence[Example], graded: bool) -> str:
    return "<br>".join(
        f"<code>{shown(example.track_id)}</code> <span>{example.score:.2f}"
        f"{f' for {example.target:.2f}' if graded else ''}</span>"
        for example in examples
    )
