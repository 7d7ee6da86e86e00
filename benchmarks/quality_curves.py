"""Draw the learning curves that `benchmarks.quality` measured: python -m benchmarks.quality_curves NAME --out FILE.png

NAME is that of --results; several are drawn as one. A panel for each corpus that something was trained on in steps shows
the PR-AUC of the validation split against the training examples seen; what is not trained in steps is a dashed line at its
PR-AUC on the test split.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from benchmarks.results import RESULTS

INCHES_A_PANEL, HEIGHT = 4.6, 3.6
DOTS_PER_INCH = 150
_SETTINGS = {"font.family": "DejaVu Sans", "font.size": 9, "backend": "agg"}


def write_curves(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the figure as PNG, without the time or the machine in it.

    Args:
        rows: rows of the results' JSON.
        path: of the figure.
    """
    corpora = list(dict.fromkeys(row["trained_on"] for row in rows if row["validation"]))
    names = list(dict.fromkeys(row["contestant"] for row in rows))
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_SETTINGS}):
        figure = Figure(figsize=(INCHES_A_PANEL * len(corpora), HEIGHT), layout="constrained")
        panels = figure.subplots(1, len(corpora), squeeze=False)[0]
        for panel, corpus in zip(panels, corpora, strict=True):
            for row in rows:
                if row["trained_on"] == row["tested_on"] == corpus:
                    _draw(panel, row, f"C{names.index(row['contestant']) % 10}")
            panel.set_title(corpus)
            panel.set_xlabel("training examples seen")
            panel.set_ylabel("PR-AUC, validation split")
            panel.spines[["top", "right"]].set_visible(False)
            panel.legend(frameon=False)
        sink = io.BytesIO()
        figure.savefig(sink, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    path.write_bytes(sink.getvalue())


def _draw(panel: Any, row: dict[str, Any], colour: str) -> None:
    is_first = not row["seed"]  # one entry in the legend for all seeds
    if row["validation"]:
        seen, values = zip(*row["validation"], strict=True)
        panel.plot(seen, values, color=colour, marker="o", markersize=3, label=row["contestant"] if is_first else None)
    else:
        label = f"{row['contestant']} (test split)"
        panel.axhline(row["figures"]["pr_auc"], color=colour, linestyle="--", linewidth=1, label=label)


def main() -> None:
    """Read the results, and draw them."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="+", metavar="NAME")
    arguments.add_argument("--out", type=Path, required=True)
    given = arguments.parse_args()
    rows = [row for name in given.names for row in json.loads((RESULTS / f"{name}.json").read_text())["rows"]]
    write_curves(rows, given.out)


if __name__ == "__main__":
    main()
