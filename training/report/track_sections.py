"""The sections that need the scores of single tracks: examples of tags, and tags mistaken for each other."""

from __future__ import annotations

import dataclasses

from training.evaluation.stored_scores import StoredScores
from training.report.confusion import LEAST_TRACKS, SAME_RANKING, TagPair, confused_pairs
from training.report.examples import TagExamples, examples_of, worst_and_best
from training.report.run_facts import RunFacts


@dataclasses.dataclass(frozen=True)
class ExampleSection:
    """The worst and the best tags, each with the tracks to listen to.

    Attributes:
        worst: tags with the lowest ROC-AUC, worst first.
        best: tags with the highest ROC-AUC, best first; no tag is in both.
        graded: whether some label lies between 0 and 1, in which case labels are shown beside scores.
    """

    worst: list[TagExamples]
    best: list[TagExamples]
    graded: bool


@dataclasses.dataclass(frozen=True)
class ConfusionSection:
    """Near-synonyms and other tags that are mistaken for each other.

    Attributes:
        has_thresholds: whether the evaluation holds thresholds; otherwise only rankings are compared.
        pairs: the pairs, the most certain first.
        same_ranking: least rank correlation at which two tags count as ranked alike.
        least_tracks: least number of tracks with one tag and not the other for a share of them to be meaningful.
    """

    has_thresholds: bool
    pairs: list[TagPair]
    same_ranking: float = SAME_RANKING
    least_tracks: int = LEAST_TRACKS


def example_section(facts: RunFacts, tracks: StoredScores) -> ExampleSection | None:
    """Gather the examples; None if no tag has a ROC-AUC."""
    worst, best = worst_and_best(facts.tags)
    if not worst:
        return None
    graded = bool(((tracks.targets > 0) & (tracks.targets < 1)).any())
    return ExampleSection(examples_of(worst, tracks), examples_of(best, tracks), graded)


def confusion_section(facts: RunFacts, tracks: StoredScores) -> ConfusionSection:
    """Gather the pairs of tags that are mistaken for each other."""
    thresholds = {tag.tag: tag.number("threshold") for tag in facts.tags}
    has_thresholds = any(threshold == threshold for threshold in thresholds.values())
    return ConfusionSection(has_thresholds, confused_pairs(tracks, thresholds))
