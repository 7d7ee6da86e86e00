"""The model that a configuration describes, over the features that a dataset holds."""

from __future__ import annotations

import keras

from schemas.dataset import Dataset
from schemas.features import FeatureSpec, LogMelSpec
from training.config import TrainConfig
from training.models.tagger import build_tagger


def features_of(dataset: Dataset, config: TrainConfig) -> FeatureSpec:
    """The features that a configuration names; raises UserError where the dataset does not hold them."""
    return dataset.features(config.features) if config.features else dataset.spec(config.family)


def build_model(config: TrainConfig, tags: int, spec: FeatureSpec) -> keras.Model:
    """The tagger that a configuration describes, over some features, with its initial weights."""
    sizes = {"mels": spec.mels} if isinstance(spec, LogMelSpec) else {}
    return build_tagger(
        config.model, tags=tags, patch=config.patch, seed=config.seed, dtype_policy=config.precision, **sizes
    )
