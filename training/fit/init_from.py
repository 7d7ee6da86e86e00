"""Start a run from another run's best weights: the network is the same, and rows of its head are matched by tag name."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pyarrow.compute as pc

from schemas.console.errors import UserError
from schemas.console.shown_commands import training_command
from schemas.features import FeatureSpec, LogMelSpec
from schemas.label_version import LabelVersion
from schemas.storage.files import exists
from training.config import TrainConfig
from training.data.label_mapping import was_seen
from training.models.config import vgg_frames
from training.runs.checkpoints import BEST_NAME, model_variables
from training.runs.run_folder import RunFolder
from training.runs.sources import open_sources

HEAD = "logits/"  # the layer with a column and a bias per tag
SHOWN_TAGS = 5  # new or dropped tags that a summary names


@dataclasses.dataclass(frozen=True)
class InitSummary:
    """The weights that a run began with.

    Attributes:
        run: run whose best weights were taken.
        epoch: epoch of those weights.
        taken: tags that both runs have, in this run's order.
        new: tags whose rows of the head start from fresh weights.
        dropped: tags of the other run that this one does not have.
    """

    run: str
    epoch: int
    taken: tuple[str, ...]
    new: tuple[str, ...]
    dropped: tuple[str, ...]


def resolve_init_from(config: TrainConfig, out: str, spec: FeatureSpec, labels: LabelVersion) -> TrainConfig:
    """Add the SHA-256 of the weights that a run starts from to its configuration, and check them before writing anything.

    A run that has begun uses its own checkpoints and no longer needs the other run: if that is gone, the recorded hash
    stays valid.

    Args:
        config: configuration of the run.
        out: the run's folder, new or begun before.
        spec: the features that the run reads.
        labels: the labels that the run is trained on.

    Raises:
        UserError: `init_from` is not a run with a validated epoch, its weights do not fit (see `start_from`), or it has
            seen tracks that this run would be judged by.
    """
    if not config.init_from:
        return config
    begun = RunFolder(out).has_begun
    if not config.init_from_sha256:
        before = RunFolder(out).read_config() if begun else None
        if before is not None and not exists(RunFolder(config.init_from).config):
            return dataclasses.replace(config, init_from_sha256=before.init_from_sha256)
        RunFolder(config.init_from).read_config()
        config = dataclasses.replace(config, init_from_sha256=best_sha256(config.init_from))
    if not begun:
        source = _open_source(config, spec, labels.vocabulary)
        _require_unseen(config.init_from, source.labels, labels)
    return config


def best_sha256(root: str) -> str:
    """SHA-256 of a run's best weights, hex; raises UserError if it has none."""
    checkpoints = RunFolder(root).checkpoints()
    if not checkpoints.has_best():
        raise UserError(
            f"--init-from {root}: has no validated epoch yet; resume it with its own `{training_command('train')}` command"
        )
    return checkpoints.best_sha256()


def start_from(model: keras.Model, config: TrainConfig, spec: FeatureSpec, vocabulary: Sequence[str]) -> InitSummary:
    """Give a fresh model the best weights of the run `config.init_from`, including the statistics of its batch norm.

    The columns of the head's kernel and its biases go to the tags of the same name; a new tag keeps what the model's
    own initializer gave it.

    Args:
        model: as `build_model` makes it.
        config: resolved, see `resolve_init_from`.
        spec: the features that the model reads.
        vocabulary: the model's tags, in output order.

    Raises:
        UserError: the other run has a different network, shares no tag, or has changed since the configuration was resolved.
        DatasetError: its checkpoint is torn, or its dataset and labels contradict each other.
    """
    source = _open_source(config, spec, vocabulary)
    theirs = source.labels.vocabulary
    place = {tag: number for number, tag in enumerate(theirs)}
    taken = [number for number, tag in enumerate(vocabulary) if tag in place]
    rows = [place[vocabulary[number]] for number in taken]

    weights = model_variables(model)
    stored = {name: _like(weight, len(theirs)) for name, weight in weights.items()}
    state = source.folder.checkpoints().load(BEST_NAME, stored)
    for name, weight in weights.items():
        values = _numpy(stored[name])
        if weight.path.startswith(HEAD):
            head = _numpy(weight).copy()
            head[..., taken] = values[..., rows]
            values = head
        weight.assign(values)
    known = set(vocabulary)
    return InitSummary(
        run=config.init_from,
        epoch=state.epoch,
        taken=tuple(vocabulary[number] for number in taken),
        new=tuple(tag for tag in vocabulary if tag not in place),
        dropped=tuple(tag for tag in theirs if tag not in known),
    )


@dataclasses.dataclass(frozen=True)
class _Source:
    """The run that another starts from: its files and its labels."""

    folder: RunFolder
    labels: LabelVersion


def _open_source(config: TrainConfig, spec: FeatureSpec, vocabulary: Sequence[str]) -> _Source:
    """Open the run `config.init_from`, and check that a model of `config` can take its weights."""
    root = config.init_from
    folder = RunFolder(root)
    other = folder.read_config()
    sources = open_sources(folder, other)
    labels = sources.labels
    differences = _differences((other, sources.spec), (config, spec))
    if differences:
        raise UserError(
            f"--init-from {root}: its network is different ({'; '.join(differences)}); train with its settings, or start "
            "without it"
        )
    found = best_sha256(root)
    if found != config.init_from_sha256:
        raise UserError(
            f"--init-from {root}: expected the weights with the SHA-256 {config.init_from_sha256[:12]}…, found "
            f"{found[:12]}…: it has been trained further; leave init_from_sha256 out to start from its present weights"
        )
    if not set(vocabulary) & set(labels.vocabulary):
        raise UserError(
            f"--init-from {root}: has none of the tags of this run ({', '.join(vocabulary[:5])}…), only "
            f"{', '.join(labels.vocabulary[:5])}…; merge the tags under its names, or start without it"
        )
    return _Source(folder, labels)


def _require_unseen(root: str, theirs: LabelVersion, ours: LabelVersion) -> None:
    """Raise UserError if a run was trained or chosen by tracks that another would be evaluated on."""
    seen = {}
    for split in ("validation", "test"):
        own = ours.table.filter(pc.equal(ours.table["split"], split))["track_id"]
        seen[split] = pc.sum(was_seen(own, split, theirs)).as_py() or 0
    if any(seen.values()):
        found = " and ".join(f"{count} {split} tracks" for split, count in seen.items() if count)
        raise UserError(
            f"--init-from {root}: was trained or chosen by {found} of this run, which would flatter it; make the label set with "
            f"its split ({theirs.manifest.split['name']}), or start without it"
        )


def _differences(other: tuple[TrainConfig, FeatureSpec], mine: tuple[TrainConfig, FeatureSpec]) -> list[str]:
    """Differences that keep one network from taking the other's weights, as `name: theirs -> ours`."""

    def shape(config: TrainConfig, spec: FeatureSpec) -> dict[str, Any]:
        names = {
            "spectrogram": ("backend_filters", "dense_units", "residual_batch_norm", "num_filt"),
            "waveform": ("backend_filters", "dense_units", "residual_batch_norm", "waveform_layers"),
            "musicnn": ("dense_units", "num_filt"),
            "vgg": ("num_filt",),
            "short-chunk": ("dense_units", "num_filt"),
        }[config.frontend]
        own: dict[str, Any] = {"mels": spec.mels} if isinstance(spec, LogMelSpec) else {}
        if config.frontend == "vgg":  # whose head has rows for each of these frames
            own["frames after the last pool"] = vgg_frames(config.patch)
        return {**{name: getattr(config, name) for name in ("frontend", "normalize_input", *names)}, **own}

    theirs, ours = shape(*other), shape(*mine)
    if theirs["frontend"] != ours["frontend"]:
        return [f"frontend: {theirs['frontend']} -> {ours['frontend']}"]
    return [f"{name}: {theirs[name]} -> {value}" for name, value in ours.items() if theirs[name] != value]


def _like(weight: keras.Variable, tags: int) -> keras.Variable:
    """A variable to load another run's weight into: it has the same shape, except for the tags of a head."""
    shape = (*weight.shape[:-1], tags) if weight.path.startswith(HEAD) else tuple(weight.shape)
    return keras.Variable(np.zeros(shape, np.float32), dtype=weight.dtype, trainable=False)


def _numpy(variable: keras.Variable) -> np.ndarray[Any, Any]:
    return np.asarray(keras.ops.convert_to_numpy(variable))


def words_of(summary: InitSummary) -> str:
    """Describe the weights that a run began with, in one line."""

    def named(tags: tuple[str, ...]) -> str:
        shown = ", ".join(tags[:SHOWN_TAGS]) + (", …" if len(tags) > SHOWN_TAGS else "")
        return f"{len(tags)}{f' ({shown})' if tags else ''}"

    return (
        f"began with the weights of {summary.run}, epoch {summary.epoch}: {len(summary.taken)} tags taken over, "
        f"new {named(summary.new)}, dropped {named(summary.dropped)}"
    )
