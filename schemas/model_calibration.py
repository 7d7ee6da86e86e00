"""The calibration of an exported model's scores: assets/calibration.json, and what it makes of the scores of a track."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from schemas.storage.json_object import parse_json_object

CALIBRATION_NAME = "calibration.json"  # among the assets
RELIABILITY_NAME = "reliability.png"  # beside MODEL_CARD.md, which shows it
CalibrationMethod = Literal["platt"]
SMALLEST, SMALLEST_REST = 1e-37, 2.0**-25  # least score, and least rest up to 1, of which the logit is taken
METHODS: tuple[CalibrationMethod, ...] = get_args(CalibrationMethod)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Platt scaling of each tag: sigmoid(slope * logit(score) + intercept) of the mean over a track's patches.

    Every slope is more than 0, so that no two tracks change places; 1 and an intercept of 0 leave a tag as it is.

    Attributes:
        slope: of each tag, in output order.
        intercept: likewise.
    """

    slope: tuple[float, ...]
    intercept: tuple[float, ...]


def calibration_json(calibration: Calibration) -> bytes:
    """The file."""
    fields = {"format": 1, "method": "platt", **dataclasses.asdict(calibration)}
    return (json.dumps(fields, indent=2, sort_keys=True) + "\n").encode()


def parse_calibration(data: bytes, tags: int) -> Calibration:
    """Read the file; raises ValueError unless it has a finite slope and intercept for each tag, every slope more than 0.

    Args:
        data: its bytes.
        tags: number of the model's tags.
    """
    fields = parse_json_object(data)
    if fields.get("method") not in METHODS:
        raise ValueError(f"calibration: expected the method {' or '.join(METHODS)}, received {fields.get('method')!r}")
    slope, intercept = (_numbers(fields, name, tags) for name in ("slope", "intercept"))
    if min(slope, default=1.0) <= 0:
        raise ValueError(f"calibration: slope: expected numbers more than 0, received {min(slope)}")
    return Calibration(slope, intercept)


def calibrated_scores(scores: npt.NDArray[np.floating], calibration: Calibration | None) -> npt.NDArray[np.float64]:
    """The scores of tracks as a calibrated model gives them; NaN stays.

    Args:
        scores: [..., tags] from 0 to 1, averaged over patches.
        calibration: None leaves them as they are.

    Returns:
        float64 of the same shape.
    """
    given = scores.astype(np.float64)
    if calibration is None:
        return given
    found: npt.NDArray[np.float64] = np.array(calibration.slope) * logits(given) + np.array(calibration.intercept)
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-found))


def logits(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The logits of scores, those of 0 and 1 too: each float32 number from 1e-37 to 1 has another one."""
    found: npt.NDArray[np.float64] = np.log(np.maximum(scores, SMALLEST)) - np.log(
        np.maximum(1 - scores, SMALLEST_REST)
    )
    return found


def _numbers(fields: dict[str, Any], name: str, count: int) -> tuple[float, ...]:
    found = fields.get(name)
    if not isinstance(found, list) or len(found) != count:
        raise ValueError(f"calibration: {name}: expected a list of {count} numbers, one for each tag")
    for value in found:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"calibration: {name}: expected finite numbers, received {value!r}")
    return tuple(float(value) for value in found)
