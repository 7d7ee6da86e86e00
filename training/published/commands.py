"""The command `import-weights` of the training stage's command line."""

from __future__ import annotations

import click

from schemas.console.commands import Command
from schemas.console.printer import print_report
from training.devices.tensorflow_import import import_tensorflow
from training.help_pages import PAGES
from training.published.models import MODEL_NAMES


@click.command("import-weights", cls=Command, page=PAGES["import-weights"])
@click.argument("package", type=click.Choice(["musicnn"]))
@click.option(
    "--model",
    required=True,
    type=click.Choice(MODEL_NAMES),
    help="Which model: what it was trained on, and its network.",
)
@click.option("--from", "source", required=True, help="Wheel of the package, or a folder with its files.")
@click.option("--out", required=True, help="Folder of the SavedModel.")
@click.option(
    "--run", help="Folder of the same weights as a run [default: that of the SavedModel with -run at its end]."
)
def import_weights_command(package: str, model: str, source: str, out: str, run: str | None) -> None:
    """Turn published weights into a SavedModel, and into a run to evaluate, export or train from.

    `pip download --no-deps musicnn==0.1.0` gets the wheel; none of its code is run.
    """
    import_tensorflow()
    from training.published.import_weights import import_weights
    from training.published.summary import import_report

    print_report(import_report(import_weights(package, model, source, out, run=run)))
