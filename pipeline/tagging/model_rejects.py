"""Limit the share of a dataset's tracks on which a model fails; those that the dataset itself rejected do not count."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.audio.causes import Cause
from pipeline.decode.reject_rate import rejects_beyond
from schemas.console.errors import UserError
from schemas.tags import Tags

_OF_THE_MODEL = (Cause.INFERENCE_CRASH, Cause.INFERENCE_TIMEOUT, Cause.INFERENCE_MEMORY, Cause.NOT_FINITE)


def check_model_rejects(tags: Tags, most: float) -> None:
    """Raise UserError if the model failed on more of a dataset's tracks than a tagging accepts.

    Args:
        tags: Tags of a dataset whose generations are all complete.
        most: Largest accepted share of the tracks that the dataset holds.
    """
    newest = tags.newest_tracks(["cause", "message"])
    failed = pc.fill_null(pc.is_in(newest["cause"], value_set=pa.array(_OF_THE_MODEL, pa.string())), False)
    held = newest.filter(pc.or_(pc.is_valid(newest["record"]), failed))
    if (too_many := rejects_beyond(held, most, None)) is not None:
        rejected, words = too_many
        raise UserError(
            f"{tags.layout.root}: the model failed on {rejected} of {held.num_rows} stored tracks, more than "
            f"--max-reject-rate {most:g} allows ({words}); name another --model and another --out, or accept them with a "
            "higher --max-reject-rate"
        )
