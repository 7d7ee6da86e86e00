"""MODEL_CARD.md and the licence of a model whose weights were imported."""

from __future__ import annotations

from training.runs.imported import Imported
from training.runs.trained import TrainedRun
from training.serving.model_card import CARD_NAME, card_template

LICENCE_NAME = "LICENSE.txt"


def imported_files(run: TrainedRun, imported: Imported, licence: str) -> dict[str, bytes]:
    """Name -> bytes of the files beside the model: it has no thresholds, since no track of a validation split is known.

    Args:
        run: the run.
        imported: where its weights come from.
        licence: SPDX identifier or name of the model's licence.
    """
    card: str = card_template("imported_card.md.j2").render(
        imported=imported,
        licence=licence,
        frontend=run.config.frontend,
        sample_rate=run.spec.sample_rate,
        patch_seconds=run.config.patch_seconds,
        embedding=int(run.model.output["embedding"].shape[-1]),
        tags=run.labels.vocabulary,
    )
    return {CARD_NAME: card.encode(), LICENCE_NAME: imported.notice.encode()}
