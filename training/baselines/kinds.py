"""The kinds of baselines."""

from __future__ import annotations

from typing import Literal

BaselineKind = Literal["logistic", "trees"]
BASELINES: tuple[BaselineKind, ...] = ("logistic", "trees")
ALL_BASELINES = "both"
NAMES: dict[BaselineKind, str] = {"logistic": "logistic regression", "trees": "gradient-boosted trees"}
