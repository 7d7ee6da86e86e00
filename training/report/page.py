"""Show a run as one self-contained HTML page."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.console.page import render_page
from schemas.storage.files import exists, write_atomic
from training.evaluation.files import Evaluation
from training.evaluation.stored_scores import StoredScores, read_stored_scores
from training.report.commands import evaluate_command, repeat_commands
from training.report.curves import curves, throughput
from training.report.headline import headline
from training.report.label_counts import LabelCounts, count_labels
from training.report.run_facts import REPORTED_SPLITS, RunFacts, read_facts
from training.report.tag_table import tag_table
from training.report.track_sections import confusion_section, example_section
from training.runs.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        uri: URI of the page.
        bytes: size of the page.
        split: split whose evaluation it shows; None if the run has not been evaluated.
        has_tracks: whether the evaluation held the scores of single tracks, so that examples and confusions are shown.
    """

    uri: str
    bytes: int
    split: str | None
    has_tracks: bool


def write_report(root: str, split: str | None = None) -> Report:
    """Write RUN/report.html; the same files give the same bytes.

    Args:
        root: the run's folder, local or a URI.
        split: split whose evaluation to show; None for the test split, or the validation split if there is no other.

    Raises:
        UserError: there is no such run, or the requested split has not been evaluated.
        DatasetError: a file of the run is damaged.
    """
    facts = read_facts(root, split)
    tracks = None if facts.evaluation is None else _scores_of(facts, facts.evaluation)
    data = page(facts, count_labels(facts.config), tracks).encode()
    uri = RunFolder(root).report
    write_atomic(uri, data)
    return Report(uri, len(data), None if facts.evaluation is None else facts.split, tracks is not None)


def report_evaluation(result: Evaluation) -> Report | None:
    """Write RUN/report.html again after an evaluation that a report can show.

    A report shows the test or the validation split, with the labels that the run was trained on.

    Args:
        result: an evaluation whose files have been written.

    Returns:
        The report; None if it does not show this evaluation.

    Raises:
        UserError: the run is gone.
        DatasetError: a file of the run is damaged.
    """
    shown = result.name == result.split and result.split in REPORTED_SPLITS
    return write_report(result.run) if shown else None


def _scores_of(facts: RunFacts, evaluation: Mapping[str, Any]) -> StoredScores | None:
    """The scores of single tracks behind an evaluation's figures; None if the stored ones belong to another evaluation."""
    if not exists(facts.scores_uri):
        return None
    tracks = read_stored_scores(facts.scores_uri)
    if len(tracks.track_ids) != evaluation.get("tracks"):
        return None
    return tracks if tracks.of.checkpoint == evaluation.get("checkpoint", tracks.of.checkpoint) else None


def page(facts: RunFacts, labels: LabelCounts | str, tracks: StoredScores | None) -> str:
    """The page; every text from outside is escaped."""
    return render_page(
        "training.report",
        "report.html",
        title=facts.root,
        run=facts,
        labels=None if isinstance(labels, str) else labels,
        no_labels=labels if isinstance(labels, str) else "",
        headline=headline(facts),
        curves=curves(facts),
        tags=tag_table(facts, labels),
        examples=None if tracks is None else example_section(facts, tracks),
        confusion=None if tracks is None else confusion_section(facts, tracks),
        throughput=throughput(facts),
        configuration=list(_configuration(facts)),
        evaluate_command=evaluate_command(facts),
        repeat_commands="\n".join(repeat_commands(facts)),
    )


def _configuration(facts: RunFacts) -> Iterator[tuple[str, str]]:
    written = {**facts.config.to_dict(), **({"environment": facts.environment} if facts.environment else {})}
    for name, value in _flat(written):
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _flat(fields: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in sorted(fields.items()):
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value
