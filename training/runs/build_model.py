"""Build the model that a configuration describes, for the features that a dataset holds."""

from __future__ import annotations

import dataclasses

import keras

from schemas.dataset import Dataset
from schemas.features import FeatureSpec, LogMelSpec
from training.config import TrainConfig
from training.models.tagger import build_tagger


def features_of(dataset: Dataset, config: TrainConfig) -> FeatureSpec:
    """The features that a configuration names; raises UserError if the dataset does not hold them."""
    return dataset.features(config.features) if config.features else dataset.spec(config.family)


def build_model(config: TrainConfig, tags: int, spec: FeatureSpec, *, replicas: int = 1) -> keras.Model:
    """The tagger that a configuration describes, with its initial weights.

    Args:
        config: configuration of the run.
        tags: number of outputs.
        spec: the features that the model reads.
        replicas: number of replicas that train it together. A single one has no others to share statistics with.
    """
    sizes = {"mels": spec.mels} if isinstance(spec, LogMelSpec) else {}
    synchronized = config.synchronized_batch_norm and replicas > 1
    model_config = dataclasses.replace(config.model, synchronized_batch_norm=synchronized)
    return build_tagger(
        model_config, tags=tags, patch=config.patch, seed=config.seed, dtype_policy=config.precision, **sizes
    )
