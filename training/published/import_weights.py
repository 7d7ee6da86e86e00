"""Turn a published model into a run and a SavedModel of this project."""

from __future__ import annotations

import dataclasses

import keras

from schemas.console.errors import UserError
from schemas.features import LogMelSpec, WaveformSpec, features_name
from schemas.storage.files import exists, join, write_atomic
from training.config import FORMAT, TrainConfig
from training.published.checkpoint import read_checkpoint
from training.published.models import LICENCE, MODELS, NOTICE, PACKAGES, PATCH_SECONDS, SOURCE
from training.published.musicnn_layers import lay_weights
from training.published.package_files import read_package
from training.runs.build_model import build_model
from training.runs.checkpoints import BEST_NAME, LoopState, model_variables
from training.runs.imported import IMPORTED_NAME, Imported, is_imported
from training.runs.run_folder import RunFolder
from training.serving.export import ExportSummary, export, require_exportable


@dataclasses.dataclass(frozen=True)
class ImportSummary:
    """An imported model.

    Attributes:
        model: its name in the package.
        data: what it was trained on.
        run: folder of the run.
        exported: the SavedModel.
    """

    model: str
    data: str
    run: str
    exported: ExportSummary


def import_weights(package: str, model: str, source: str, out: str, *, run: str | None = None) -> ImportSummary:
    """Write a published model as a run, and export that.

    >>> from training.published.import_weights import import_weights
    >>> import_weights("musicnn", "MTT_musicnn", "musicnn-0.1.0-py3-none-any.whl", "published").exported.tags
    50

    Args:
        package: musicnn.
        model: MTT_musicnn, MTT_vgg, MSD_musicnn or MSD_vgg.
        source: wheel of the package, or a folder with its files.
        out: folder of the SavedModel, which appears whole and replaces an existing one.
        run: folder of the run, which replaces an imported one [default: `out` with -run at its end].

    Raises:
        UserError: a name or folder does not fit, or the package's files are missing, damaged or of another model.
    """
    if package not in PACKAGES:
        raise UserError(f"import-weights: expected {' or '.join(PACKAGES)}, received {package!r}")
    if model not in MODELS:
        raise UserError(f"--model: expected one of {', '.join(MODELS)}, received {model!r}")
    root = run or f"{out.rstrip('/')}-run"
    require_exportable(out, "savedmodel")
    folder = RunFolder(root)
    if exists(folder.config) and not is_imported(root):
        raise UserError(
            f"--run {root}: expected an imported run to replace, found one that was trained; choose another"
        )
    _write_run(folder, published_network(model, source))
    return ImportSummary(model, MODELS[model].data, root, export(root, out, licence=LICENCE))


@dataclasses.dataclass(frozen=True)
class PublishedNetwork:
    """A published model in this project's network.

    Attributes:
        imported: where it comes from.
        config: configuration of a run that would have trained it.
        model: the network with its weights.
    """

    imported: Imported
    config: TrainConfig
    model: keras.Model


def published_network(name: str, source: str) -> PublishedNetwork:
    """Read a model of the package.

    Args:
        name: one of `MODELS`.
        source: wheel of the package, or a folder with its files.

    Raises:
        UserError: the package's files are missing, damaged or of another model.
    """
    published = MODELS[name]
    files = read_package(source, name, published.tags)
    spec = LogMelSpec(WaveformSpec("full"))
    imported = Imported(
        source=SOURCE,
        model=name,
        data=published.data,
        licence=LICENCE,
        notice=NOTICE,
        roc_auc=published.roc_auc,
        pr_auc=published.pr_auc,
        feature_spec=spec.to_dict(),
        vocabulary=files.tags,
    )
    config = TrainConfig(
        dataset="",
        label_set=imported.labels().reference,
        frontend=published.frontend,
        features=features_name(spec),
        hop_length=spec.hop_length,
        patch_seconds=PATCH_SECONDS,
    )
    model = build_model(config, len(files.tags), spec)
    lay_weights(model, published.frontend, read_checkpoint(files), tags=len(files.tags), where=files.where)
    return PublishedNetwork(imported, config, model)


def _write_run(folder: RunFolder, network: PublishedNetwork) -> None:
    with folder.held():
        write_atomic(join(folder.root, IMPORTED_NAME), network.imported.to_bytes())
        folder.write_json(folder.config, {"format": FORMAT, **network.config.to_dict()})
        state = LoopState(label_version=network.config.label_set)
        folder.checkpoints().save(BEST_NAME, model_variables(network.model), state)
