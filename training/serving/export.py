"""Write a run's best model in a form that programs use without this package, with its vocabulary beside it."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Sequence
from typing import Any

import keras

from schemas.console.errors import UserError
from schemas.console.interpreter import missing_words
from schemas.model_calibration import METHODS, RELIABILITY_NAME, CalibrationMethod
from schemas.model_forms import ASSETS, FORM_NAMES, FORMS, MARKERS, WEIGHTS, Form, Weights
from schemas.model_thresholds import THRESHOLDS_NAME, thresholds_json
from training.config import Precision
from training.data.groups import track_groups
from training.evaluation.plots import draw_reliability
from training.runs.ensemble import computing_in, open_runs
from training.runs.trained import TrainedRun
from training.serving.calibration import CalibrationFit, fit_calibration
from training.serving.imported_card import imported_files
from training.serving.model_card import CARD_NAME, model_card
from training.serving.model_folder import write_model
from training.serving.smaller_weights import WeightsCost, measure_weights
from training.serving.thresholds import calibrated_thresholds, thresholds_of, validation_scores
from training.serving.whole_folder import require_replaceable

_NEEDED: dict[Form, tuple[str, ...]] = {"onnx": ("tf2onnx", "onnx", "onnxruntime"), "tflite": ("ai_edge_litert",)}


@dataclasses.dataclass(frozen=True)
class ExportSummary:
    """The exported model.

    Attributes:
        out: its folder.
        form: how it is written.
        precision: what its convolutions compute in.
        tags: number of tags that it scores.
        patch_seconds: length of its patches.
        epochs: the epoch that the weights of each run come from.
        bytes: size of all its files.
        calibration: what calibrates its scores; None if they are as the run gives them.
        weights: what smaller weights cost; None if they are float32.
    """

    out: str
    form: Form
    precision: Precision
    tags: int
    patch_seconds: float
    epochs: tuple[int, ...]
    bytes: int
    calibration: CalibrationFit | None = None
    weights: WeightsCost | None = None


def export(
    root: str | Sequence[str],
    out: str,
    form: Form = "savedmodel",
    precision: Precision | None = None,
    licence: str | None = None,
    *,
    calibrate: CalibrationMethod | None = None,
    weights: Weights | None = None,
) -> ExportSummary:
    """Export the best epoch of a run, or several runs as one model.

    >>> from training import export
    >>> export("runs/a", "runs/a/saved_model").tags
    3
    >>> export("runs/a", "runs/a/keras", "keras").form
    'keras'

    Args:
        root: the run's folder, or those of an ensemble; `training.runs.ensemble` says how it is made.
        out: folder of the model, which appears whole and replaces an existing one of the same form.
        form: `savedmodel`, `onnx`, `tflite`, `keras` or `essentia`.
        precision: what a SavedModel computes in [default: as the run was trained]. Other forms compute in float32.
        licence: the model's licence, as an SPDX identifier or in words; it is written into the model and its card.
        calibrate: `platt` to make probabilities of the scores, by a fit on the validation split. No two tracks change places
            for any tag, and the thresholds move with the scores.
        weights: what a LiteRT model stores its weights as: `float32`, `float16` or `int8`; what the smaller ones cost in PR-AUC
            is measured on validation tracks. Other forms have float32 weights.

    Raises:
        UserError: there is no such run, the runs of an ensemble differ in what they read or score, `out` holds something
            else, the form has no such precision, or a package that writes the form is not installed.
        TagscaleError: the converted model gives other scores.
    """
    require_exportable(out, form, precision, calibrate, weights)
    run = open_runs([root] if isinstance(root, str) else root)
    computes: Precision = (precision or run.config.precision) if form == "savedmodel" else "float32"
    model = computing_in(computes, run)
    if run.imported is None:
        beside, fit, cost = _judged_by_validation(run, model, licence, calibrate, weights)
    else:
        _require_no_validation(calibrate, weights)
        licence = licence or run.imported.licence
        beside, fit, cost = imported_files(run, run.imported, licence), None, None
    size = write_model(
        out,
        model,
        form=form,
        patch=run.config.patch,
        spec=run.spec,
        vocabulary=run.labels.vocabulary,
        labels=run.labels.manifest.to_dict(),
        config=_config(run),
        licence=licence,
        calibration=None if fit is None else fit.calibration,
        weights=weights or "float32",
        beside=beside,
    )
    tags = len(run.labels.vocabulary)
    epochs = tuple(one.state.epoch for one in run.members or (run,))
    return ExportSummary(out, form, computes, tags, run.config.patch_seconds, epochs, size, fit, cost)


def _config(run: TrainedRun) -> dict[str, Any]:
    """Fields of the run's configuration; of an ensemble those of the first run, and all of them as `runs`."""
    fields = run.config.to_dict()
    return {**fields, "runs": [one.config.to_dict() for one in run.members]} if run.members else fields


def _judged_by_validation(
    run: TrainedRun,
    model: keras.Model,
    licence: str | None,
    calibrate: CalibrationMethod | None,
    weights: Weights | None,
) -> tuple[dict[str, bytes], CalibrationFit | None, WeightsCost | None]:
    """The files that follow from the scores of the validation split, the calibration, and what smaller weights cost."""
    stored = validation_scores(run)
    thresholds, fit = thresholds_of(stored), None
    beside: dict[str, bytes] = {}
    if calibrate is not None:
        fit = fit_calibration(stored, track_groups(run.dataset, stored.track_ids))
        thresholds = calibrated_thresholds(thresholds, fit.calibration)
        beside[RELIABILITY_NAME] = _reliability_picture(run, fit)
    cost = None if weights in (None, "float32") else measure_weights(run, model, stored, weights)
    of_tags = thresholds_json(run.labels.vocabulary, thresholds.values, thresholds.tracks)
    card = model_card(run, thresholds, licence, fit, cost).encode()
    return {**beside, f"{ASSETS}/{THRESHOLDS_NAME}": of_tags, CARD_NAME: card}, fit, cost


def _require_no_validation(calibrate: CalibrationMethod | None, weights: Weights | None) -> None:
    """Raise UserError for what only a validation split can tell, which imported weights do not have."""
    asked = "--calibrate" if calibrate is not None else "" if weights in (None, "float32") else f"--weights {weights}"
    if asked:
        raise UserError(
            f"{asked}: expected a run with a validation split to measure by, received imported weights; leave it out, or train "
            "from them with --init-from and export that run"
        )


def require_exportable(
    out: str,
    form: Form,
    precision: Precision | None = None,
    calibrate: CalibrationMethod | None = None,
    weights: Weights | None = None,
) -> None:
    """Raise UserError for what `export` cannot write to a folder, whatever the run; the arguments are those of `export`."""
    if form not in FORMS:
        raise UserError(f"--format: expected one of {', '.join(FORMS)}, received {form!r}")
    if form != "savedmodel" and precision not in (None, "float32"):
        raise UserError(
            f"--precision {precision}: expected only with --format savedmodel, since {FORM_NAMES[form]} computes in float32; "
            "leave it out"
        )
    if weights not in (None, *WEIGHTS):
        raise UserError(f"--weights: expected one of {', '.join(WEIGHTS)}, received {weights!r}")
    if weights is not None and form != "tflite":
        raise UserError(f"--weights {weights}: expected only with --format tflite, received {form}; leave it out")
    if calibrate is not None:
        _require_calibration(calibrate, form)
    for module in _NEEDED.get(form, ()):
        if importlib.util.find_spec(module) is None:
            raise UserError(f"--format {form}: {missing_words(module)}")
    require_replaceable(out, MARKERS[form], f"{FORM_NAMES[form]} to replace")


def _require_calibration(method: CalibrationMethod, form: Form) -> None:
    if method not in METHODS:
        raise UserError(f"--calibrate: expected {' or '.join(METHODS)}, received {method!r}")
    if form == "keras":
        raise UserError(
            f"--calibrate {method}: expected another --format than keras, since a Keras file scores single patches, and the "
            "mean over a track's patches is what is calibrated; leave it out"
        )
    for module in ("sklearn", "threadpoolctl"):
        if importlib.util.find_spec(module) is None:
            raise UserError(f"--calibrate {method}: {missing_words(module)}")


def _reliability_picture(run: TrainedRun, fit: CalibrationFit) -> bytes:
    title = f"{run.labels.reference}, {fit.tracks:,} validation tracks, each calibrated by a fit on others"
    return draw_reliability(fit.before, fit.after, title)
