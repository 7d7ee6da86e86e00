"""Write a run's best model as a SavedModel that takes raw audio and carries its vocabulary."""

from __future__ import annotations

import dataclasses

from training.runs.trained import open_run
from training.serving.model_folder import MODEL_NAME, write_saved_model
from training.serving.whole_folder import require_replaceable


@dataclasses.dataclass(frozen=True)
class ExportSummary:
    """The exported SavedModel.

    Attributes:
        out: the SavedModel's folder.
        tags: number of tags that it scores.
        patch_seconds: length of its patches.
        epoch: the run's epoch that the weights come from.
        bytes: size of all its files.
    """

    out: str
    tags: int
    patch_seconds: float
    epoch: int
    bytes: int


def export(root: str, out: str) -> ExportSummary:
    """Export the best epoch of a run.

    >>> from training import export
    >>> export("runs/a", "runs/a/saved_model").tags
    3

    Args:
        root: the run's folder.
        out: folder of the SavedModel, which appears whole and replaces an existing one.

    Raises:
        UserError: there is no such run, or `out` holds something else.
    """
    run = open_run(root)
    require_replaceable(out, MODEL_NAME, "a SavedModel to replace")
    size = write_saved_model(
        out,
        run.model,
        patch=run.config.patch,
        spec=run.spec,
        vocabulary=run.labels.vocabulary,
        labels=run.labels.manifest.to_dict(),
        config=run.config.to_dict(),
    )
    return ExportSummary(out, len(run.labels.vocabulary), run.config.patch_seconds, run.state.epoch, size)
