"""Commands that repeat a run and its evaluation."""

from __future__ import annotations

import shlex

from training.baselines.kinds import ALL_BASELINES
from training.evaluation.files import BASELINE_PREFIXES
from training.report.run_facts import RunFacts
from training.runs.run_folder import RunFolder


def repeat_commands(facts: RunFacts) -> list[str]:
    """Commands that train and evaluate the run again, in a folder beside it, from the folder where it was started."""
    config, again = shlex.quote(RunFolder(facts.root).config), shlex.quote(f"{facts.root.rstrip('/')}_again")
    evaluate = f"python training/run.py evaluate --run {again} --split {facts.split}"
    evaluated = facts.evaluation or {}
    kinds = [kind for kind, prefix in BASELINE_PREFIXES.items() if f"{prefix}roc_auc_macro" in evaluated]
    if kinds:
        evaluate += f" --baseline {kinds[0] if len(kinds) == 1 else ALL_BASELINES}"
    return [f"python training/run.py train --config {config} --out {again}", evaluate]


def evaluate_command(facts: RunFacts) -> str:
    """The command that evaluates the run itself."""
    return f"python training/run.py evaluate --run {shlex.quote(facts.root)} --split {facts.split}"
