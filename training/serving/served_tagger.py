"""The functions that a SavedModel serves: raw audio in, scores per track out, log-mel inside the graph.

Log-mel is computed over the whole signal and then cut into patches at a hop of one patch, with a last patch that ends
with the signal; a signal shorter than a patch is padded with zeros; patch scores are averaged. `training/models/patches.py`
implements the same rule in numpy.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from schemas.features import LogMelSpec
from schemas.model_calibration import Calibration
from training.forms.calibrated import calibrated
from training.forms.portable_graph import not_finite_rows
from training.serving.logmel import graph_logmel


class ServedTagger:
    """The served functions of a tagger, each a graph of its own.

    Args:
        model: a tagger of `training.models`.
        patch: length of its patches, in frames (spectrogram) or samples (waveform).
        spec: the log-mel spec of a spectrogram model; None for a waveform model.
        vocabulary: tags in output order.
        calibration: of the scores of tracks, if they are calibrated.
    """

    def __init__(
        self,
        model: keras.Model,
        patch: int,
        spec: LogMelSpec | None,
        vocabulary: tuple[str, ...],
        calibration: Calibration | None = None,
    ) -> None:
        self._model, self._calibration = model, calibration
        self._patch = patch
        self._spec = spec
        self._vocabulary = list(vocabulary)
        self._patches = tf.TensorSpec([None, *model.inputs[0].shape[1:]], tf.float32, name="patches")
        # One graph, which those of the signatures call: tracing the network for each would take most of an export.
        self._network = tf.function(lambda patches: model(patches, training=False), input_signature=[self._patches])

    def saved_object(self) -> Any:
        """The object that `tf.saved_model.save` saves beside the signatures: a tf.Module with the weights that they read.

        It holds the TensorFlow variables and not the Keras model. For a Keras variable, Keras saves a copy of the one
        that the signatures read; a graph loader (TensorFlow Serving, `saved_model_cli run`) then restores only the copy.
        """
        module = tf.Module()
        module.weights = [weight.value for weight in self._model.weights]
        return module

    def signatures(self) -> dict[str, Any]:
        """Name -> concrete function, with the documented names."""
        waveform = tf.TensorSpec([None, None], tf.float32, name="waveform")
        samples = tf.TensorSpec([None], tf.int32, name="samples")
        signatures = {
            "serving_default": tf.function(self.scores_of_equal).get_concrete_function(waveform),
            "padded": tf.function(self.scores_of_padded).get_concrete_function(waveform, samples),
            "embed": tf.function(self.embedding).get_concrete_function(waveform),
            "tags": tf.function(self.tags).get_concrete_function(),
        }
        signatures["patches"] = tf.function(self.outputs_of_patches).get_concrete_function(self._patches)
        if self._spec is not None:
            logmel = tf.TensorSpec([None, None, self._spec.mels], tf.float32, name="logmel")
            signatures["logmel"] = tf.function(self.scores_of_logmel).get_concrete_function(logmel)
        return signatures

    def scores_of_equal(self, waveform: Any) -> dict[str, Any]:
        """`waveform` float32 [batch, samples] -> `scores` float32 [batch, tags]."""
        return {"scores": self._averages(waveform, _full_lengths(waveform))[0]}

    def scores_of_padded(self, waveform: Any, samples: Any) -> dict[str, Any]:
        """The same for rows of different lengths: only the first `samples` of a row count."""
        return {"scores": self._averages(waveform, samples)[0]}

    def embedding(self, waveform: Any) -> dict[str, Any]:
        """`waveform` float32 [batch, samples] -> `embedding` float32 [batch, dense units], averaged over patches."""
        return {"embedding": self._averages(waveform, _full_lengths(waveform))[1]}

    def scores_of_logmel(self, logmel: Any) -> dict[str, Any]:
        """`logmel` float32 [batch, frames, mels], taken over whole signals -> `scores` float32 [batch, tags]."""
        return {"scores": self._patch_averages(logmel, _full_lengths(logmel))[0]}

    def outputs_of_patches(self, patches: Any) -> dict[str, Any]:
        """`patches` float32 [batch, patch(, mels)] -> `scores` and `embedding` of each, neither averaged nor calibrated.

        A program that reads features itself fills batches with patches of several tracks.
        """
        outputs = self._network(patches)
        taint = not_finite_rows(patches)
        return {"scores": tf.sigmoid(outputs["logits"]) + taint, "embedding": outputs["embedding"] + taint}

    def tags(self) -> dict[str, Any]:
        """No input -> `tags` string [tags], in the order of the scores."""
        return {"tags": tf.constant(self._vocabulary)}

    def _averages(self, waveform: Any, samples: Any) -> tuple[Any, Any]:
        samples = tf.clip_by_value(samples, 0, tf.shape(waveform)[1])
        audible = tf.sequence_mask(samples, tf.shape(waveform)[1])
        waveform = tf.where(audible, waveform, 0.0)  # padding is treated as silence, whatever it holds
        if self._spec is None:
            return self._patch_averages(waveform, samples)
        logmel = graph_logmel(waveform, self._spec)
        frames = 1 + samples // self._spec.hop_length
        # The windows of frames after a row's last one still reach its tail; a stored row does not have these frames.
        own = tf.sequence_mask(frames, tf.shape(logmel)[1])[:, :, tf.newaxis]
        return self._patch_averages(tf.where(own, logmel, 0.0), frames)

    def _patch_averages(self, signal: Any, lengths: Any) -> tuple[Any, Any]:
        """Average scores and embeddings over each row's patches, one patch at a time so that memory stays flat."""
        patch = self._patch
        missing = tf.maximum(patch - tf.shape(signal)[1], 0)
        signal = tf.pad(signal, [[0, 0], [0, missing]] + [[0, 0]] * (len(signal.shape) - 2))
        beyond = tf.maximum(lengths - patch, 0)
        counts = 1 + (beyond + patch - 1) // patch  # whole hops, plus one for a tail
        batch = tf.shape(signal)[0]
        scores = tf.zeros([batch, self._model.output["logits"].shape[-1]])
        embeddings = tf.zeros([batch, self._model.output["embedding"].shape[-1]])

        def add(number: Any, scores: Any, embeddings: Any) -> tuple[Any, Any, Any]:
            starts = tf.minimum(number * patch, beyond)
            places = starts[:, tf.newaxis] + tf.range(patch)[tf.newaxis, :]
            outputs = self._network(tf.gather(signal, places, batch_dims=1))
            counted = tf.cast(number < counts, tf.float32)[:, tf.newaxis]
            return (
                number + 1,
                scores + counted * tf.sigmoid(outputs["logits"]),
                embeddings + counted * outputs["embedding"],
            )

        _, scores, embeddings = tf.while_loop(
            lambda number, *_: number < tf.reduce_max(counts),
            add,
            (tf.constant(0), scores, embeddings),
            parallel_iterations=1,
        )
        patches = tf.cast(counts, tf.float32)[:, tf.newaxis]
        taint = not_finite_rows(signal)
        return calibrated(scores / patches, self._calibration) + taint, embeddings / patches + taint


def _full_lengths(signal: Any) -> Any:
    return tf.fill([tf.shape(signal)[0]], tf.shape(signal)[1])
