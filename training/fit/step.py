"""One training step, the same for every strategy.

Keras's own `fit` fails with several workers, so the step is written out: `strategy.run`, the loss divided by the
number of known targets in the global batch, `optimizer.apply`, `strategy.reduce`. A batch that is cut into parts takes a
call for each, whose gradients are added up, and one more for the optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from training.fit.gradient_sums import GradientSums
from training.fit.losses import TrainingLoss
from training.models.tagger import set_dropout_step


class TrainingStep:
    """Takes steps with a model and an optimizer.

    Args:
        model: a tagger of `training.models`.
        optimizer: optimizer built for the model's trainable weights.
        loss: loss to minimise, in addition to the model's own weight decay.
        strategy: strategy under which both were made.
        clip_norm: largest norm of all gradients of the global batch together; 0 for no limit.
        accumulate: number of parts that each replica's part of a batch is cut into. One after the other goes through the
            model, and the optimizer takes one step with the sum of their gradients: that of the whole batch, except that
            batch norm sees one part at a time and each part drops other units.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: Any,
        loss: TrainingLoss,
        strategy: Any,
        clip_norm: float = 0.0,
        accumulate: int = 1,
    ) -> None:
        self.model, self.optimizer = model, optimizer
        replicas = strategy.num_replicas_in_sync
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)

        def clipped(gradients: list[Any]) -> list[Any]:
            # The norm is taken over the whole batch, so the replicas are summed first. The optimizer sums once more.
            if replicas > 1:
                context = tf.distribute.get_replica_context()
                gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            largest = clip_norm * optimizer.dynamic_scale if scaled else clip_norm
            gradients, _ = tf.clip_by_global_norm(gradients, largest)
            return [gradient / replicas for gradient in gradients]

        def gradients_of(patches: Any, targets: Any, weights: Any, known: Any, step: Any) -> tuple[Any, list[Any]]:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            set_dropout_step(model, step, replica)
            with tf.GradientTape() as tape:
                logits = model(patches, training=True)["logits"]
                # Gradients are summed over parts and replicas, and the weight decay must count only once.
                value = loss.summed(targets, weights, logits) / known
                if model.losses:
                    # Not add_n, which adds its terms in the order in which they become ready.
                    value += tf.reduce_sum(tf.stack(model.losses)) / (replicas * accumulate)
                objective = optimizer.scale_loss(value) if scaled else value
            return value, tape.gradient(objective, model.trainable_variables)

        def replica_step(patches: Any, targets: Any, weights: Any, known: Any, step: Any, stop: Any) -> tuple[Any, Any]:
            value, gradients = gradients_of(patches, targets, weights, known, step)
            optimizer.apply(clipped(gradients) if clip_norm else gradients, model.trainable_variables)
            return value, tf.identity(stop)  # a value of this replica, which can be reduced

        def replica_part(patches: Any, targets: Any, weights: Any, known: Any, step: Any, part: Any) -> tuple[Any]:
            rows = tf.shape(patches, tf.int64)[0]
            cut = slice(rows * part // accumulate, rows * (part + 1) // accumulate)
            value, gradients = gradients_of(patches[cut], targets[cut], weights[cut], known, step * accumulate + part)
            sums.add(gradients)
            return (value,)

        def replica_end(stop: Any) -> tuple[Any]:
            gradients = sums.taken()
            optimizer.apply(clipped(gradients) if clip_norm else gradients, model.trainable_variables)
            return (tf.identity(stop),)

        def on_replicas(replica_function: Callable[..., tuple[Any, ...]]) -> Callable[..., list[Any]]:
            def summed(element: Sequence[Any], *scalars: Any) -> list[Any]:
                results = strategy.run(replica_function, args=(*element, *scalars))
                return [strategy.reduce(tf.distribute.ReduceOp.SUM, result, axis=None) for result in results]

            return summed

        # Each part is a call of one graph. A graph of all parts would take as many times as long to compile, and replicas
        # cannot exchange sums inside a tf.while_loop.
        self._accumulate = accumulate
        sums = GradientSums(model.trainable_variables if accumulate > 1 else (), strategy)
        self._first_function = on_replicas(replica_step if accumulate == 1 else replica_part)
        self._end_function = on_replicas(replica_end)
        self._compiled: Any = None
        self._compiled_end: Any = None

    def compile(self, element_spec: Any) -> None:
        """Compile the one graph that takes all steps, or all parts of them.

        Batch sizes differ by one track. A graph for each size, made in the order in which the sizes occur, would round
        differently in a run that resumes in the middle.

        Args:
            element_spec: element spec of the dataset that the elements come from.
        """
        if self._compiled is None:
            number, stop = tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.float32)
            last = stop if self._accumulate == 1 else number
            self._compiled = tf.function(self._first_function, input_signature=(element_spec, number, last))
            self._compiled_end = tf.function(self._end_function, input_signature=((), stop))

    def __call__(self, element: Any, step: int, stop: bool) -> tuple[Any, Any]:
        """Take a step.

        Args:
            element: element of `TrainingInput.dataset`, or of its distributed form.
            step: number of the step in the whole run, which determines dropout.
            stop: whether this worker was asked to stop.

        Returns:
            Loss of the global batch and how many replicas were asked to stop: scalars that a device may still be
            computing.
        """
        number, asked = tf.constant(step, tf.int64), tf.constant(float(stop), tf.float32)
        if self._accumulate == 1:
            loss, stopping = self._compiled(element, number, asked)
            return loss, stopping
        losses = [self._compiled(element, number, tf.constant(part, tf.int64))[0] for part in range(self._accumulate)]
        (stopping,) = self._compiled_end((), asked)
        return tf.reduce_sum(tf.stack(losses)), stopping
