"""One training step, the same for every strategy.

Keras's own `fit` fails with several workers, so the step is written out: `strategy.run`, the loss divided by the
number of known targets in the global batch, `optimizer.apply`, `strategy.reduce`.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

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
    """

    def __init__(
        self, model: keras.Model, optimizer: Any, loss: TrainingLoss, strategy: Any, clip_norm: float = 0.0
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

        def replica_step(patches: Any, targets: Any, weights: Any, known: Any, step: Any, stop: Any) -> tuple[Any, Any]:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            set_dropout_step(model, step, replica)
            with tf.GradientTape() as tape:
                logits = model(patches, training=True)["logits"]
                # Gradients are summed over replicas, and the weight decay must count only once.
                value = loss.summed(targets, weights, logits) / known
                if model.losses:
                    # Not add_n, which adds its terms in the order in which they become ready.
                    value += tf.reduce_sum(tf.stack(model.losses)) / replicas
                objective = optimizer.scale_loss(value) if scaled else value
            gradients = tape.gradient(objective, model.trainable_variables)
            optimizer.apply(clipped(gradients) if clip_norm else gradients, model.trainable_variables)
            return value, tf.identity(stop)  # a value of this replica, which can be reduced

        def step_function(element: Any, step: Any, stop: Any) -> Any:
            results = strategy.run(replica_step, args=(*element, step, stop))
            return [strategy.reduce(tf.distribute.ReduceOp.SUM, result, axis=None) for result in results]

        self._step_function = step_function
        self._compiled: Any = None

    def compile(self, element_spec: Any) -> None:
        """Compile the one graph that takes all steps.

        Batch sizes differ by one track. A graph for each size, made in the order in which the sizes occur, would round
        differently in a run that resumes in the middle.

        Args:
            element_spec: element spec of the dataset that the elements come from.
        """
        if self._compiled is None:
            scalars = (tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.float32))
            self._compiled = tf.function(self._step_function, input_signature=(element_spec, *scalars))

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
        loss, stopping = self._compiled(element, tf.constant(step, tf.int64), tf.constant(float(stop), tf.float32))
        return loss, stopping
