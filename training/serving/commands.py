"""The commands `export` and `tag` of the training stage's command line."""

from __future__ import annotations

from typing import Literal

import click

from schemas.console.commands import Command
from schemas.console.printer import print_report
from schemas.model_calibration import METHODS, CalibrationMethod
from schemas.model_forms import FORMS, WEIGHTS, Form, Weights
from training.chosen_runs import run_folders
from training.devices.tensorflow_import import import_tensorflow
from training.help_pages import PAGES


@click.command("export", cls=Command, page=PAGES["export"])
@run_folders
@click.option("--out", required=True, help="Folder of the model.")
@click.option(
    "--format",
    "form",
    default="savedmodel",
    show_default=True,
    type=click.Choice(FORMS),
    help="What the folder holds: a SavedModel, ONNX models, a LiteRT (TensorFlow Lite) model, a Keras file, Essentia's graph.",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "mixed_bfloat16"]),
    help="What a SavedModel computes in [default: as the run was trained]; the other formats compute in float32.",
)
@click.option(
    "--weights",
    type=click.Choice(WEIGHTS),
    help="What a LiteRT model stores its weights as [default: float32]; what smaller ones cost in PR-AUC is measured.",
)
@click.option(
    "--calibrate",
    type=click.Choice(METHODS),
    help="Make probabilities of the scores by Platt scaling, fitted on the validation split [default: as the run gives them].",
)
@click.option(
    "--licence",
    metavar="NAME",
    help="Licence of the model, such as CC-BY-4.0 [default: the card says that none is stated].",
)
def export_command(
    run_folders: tuple[str, ...],
    out: str,
    form: Form,
    precision: Literal["float32", "mixed_bfloat16"] | None,
    weights: Weights | None,
    calibrate: CalibrationMethod | None,
    licence: str | None,
) -> None:
    """Write a run's best epoch as a model that takes raw audio and needs nothing of this package.

    Several runs become an ensemble in one model, whose logits are the means of theirs.
    """
    import_tensorflow()
    from training.serving.export import export, require_exportable
    from training.serving.summary import export_report
    from training.serving.validation_first import score_validation_first

    require_exportable(out, form, precision, calibrate, weights)
    score_validation_first(run_folders)
    summary = export(run_folders, out, form, precision, licence, calibrate=calibrate, weights=weights)
    print_report(export_report(summary))


@click.command("tag", cls=Command, page=PAGES["tag"])
@click.option("--model", required=True, help="SavedModel written by `export`.")
@click.option("--top", type=click.IntRange(min=1), help="Tags shown per file [default: 5, and all with --json].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line, with all scores.")
@click.option("--csv", "table", help="CSV file to write all scores to, a row for each file.")
@click.option("--timeline", help="Folder to write how each file's scores change with time to, as CSV and as a picture.")
@click.argument("inputs", nargs=-1, required=True, metavar="FILE_OR_FOLDER...")
def tag_command(
    model: str, top: int | None, as_json: bool, table: str | None, timeline: str | None, inputs: tuple[str, ...]
) -> None:
    """Tag audio files. A folder stands for those in it and below, which are told by their endings.

    A file that cannot be decoded gets a line with the reason, and the exit code is then 1. That line goes to stderr; with
    --json it is an object like the others, with a `problem` and no scores.
    """
    from training.serving.audio_files import audio_files

    files = audio_files(inputs)
    import_tensorflow()
    from training.serving.tag_inputs import tag_inputs

    tag_inputs(model, files, top=top, as_json=as_json, table=table, timeline=timeline)
