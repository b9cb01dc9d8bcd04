"""Builds AdamW with warm-up and cosine decay; learned weights have a rate of their own."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from segpipe.config.train import Train


class GroupedAdamW(keras.optimizers.Adam):
    """AdamW (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101) with another rate for some variables.

    What all variables share is computed once for each step, and TensorFlow's fused kernel updates each. Keras' AdamW
    traces the learning rate with its schedule anew for every variable: that is half of all tracing.

    Args:
      slow: variables that learn at `slow_factor` times the rate.
      slow_factor: a number, usually below 1.
      learning_rate: of the others.
      weight_decay: share of a kernel that is taken away per step and unit of `learning_rate`. Offsets and batch
        normalization have no reason to be small: nothing is taken from variables of one dimension.
    """

    def __init__(
        self,
        slow: Sequence[keras.Variable],
        slow_factor: float,
        learning_rate: keras.optimizers.schedules.LearningRateSchedule,
        weight_decay: float,
    ) -> None:
        super().__init__(learning_rate, name="adamw")
        self._slow_paths = frozenset(variable.path for variable in slow)
        self._slow_factor, self._decay = slow_factor, weight_decay
        self._is_slow: list[bool] = []

    def build(self, variables: list[keras.Variable]) -> None:
        """Makes the state for every variable."""
        super().build(variables)
        self._is_slow = [variable.path in self._slow_paths for variable in variables]

    def _backend_update_step(
        self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable], learning_rate: tf.Tensor
    ) -> None:
        """As Keras', but `update_step` is given `_Shared` for the learning rate."""
        beta_1, beta_2, epsilon = tf.constant(self.beta_1), tf.constant(self.beta_2), tf.constant(self.epsilon)
        step = tf.cast(self.iterations + 1, tf.float32)
        rate = learning_rate * tf.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        decay = learning_rate * self._decay
        shared = _Shared(rate, rate * self._slow_factor, decay, beta_1, beta_2, epsilon, tf.zeros([]))
        super()._backend_update_step(grads, trainable_variables, shared)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: "_Shared") -> None:
        """Updates one variable."""
        index, shared = self._get_variable_index(variable), learning_rate
        if self._decay and len(variable.shape) > 1:
            variable.assign_sub(variable * shared.decay)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=shared.zero,  # The rate has it already.
            beta2_power=shared.zero,
            lr=shared.slow_rate if self._is_slow[index] else shared.rate,
            beta1=shared.beta_1,
            beta2=shared.beta_2,
            epsilon=shared.epsilon,
            grad=gradient,
        )


class _Shared(NamedTuple):
    """Float32 scalars that all variables share in one step.

    Attributes:
      rate: the learning rate, times what makes up for the moments' start at zero.
      slow_rate: likewise, of slow variables.
      decay: share of a kernel that is taken away.
      beta_1: what stays of the first moment.
      beta_2: what stays of the second moment.
      epsilon: keeps the divisor from zero.
      zero: 0.
    """

    rate: tf.Tensor
    slow_rate: tf.Tensor
    decay: tf.Tensor
    beta_1: tf.Tensor
    beta_2: tf.Tensor
    epsilon: tf.Tensor
    zero: tf.Tensor


def build(
    recipe: Train, variables: Sequence[keras.Variable], pretrained: Sequence[keras.Variable], steps: int
) -> keras.optimizers.Optimizer:
    """Builds the optimizer with its state for every variable.

    Args:
      recipe: the config's [train] section.
      variables: everything that will ever be trained.
      pretrained: those of `variables` that learn at `encoder_learning_rate`.
      steps: per epoch.
    """
    schedule = learning_rate(recipe, steps)
    factor = recipe.encoder_learning_rate / recipe.learning_rate
    adam = GroupedAdamW(pretrained, factor, schedule, recipe.weight_decay)
    optimizer = keras.optimizers.LossScaleOptimizer(adam) if recipe.precision == "mixed_float16" else adam
    optimizer.build(list(variables))
    return optimizer


def learning_rate(recipe: Train, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Rises linearly from 0 over `warmup_epochs`, then falls to 0 along a cosine at the end of the last epoch."""
    warmup = min(round(recipe.warmup_epochs * steps), recipe.epochs * steps - 1)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else recipe.learning_rate,
        decay_steps=recipe.epochs * steps - warmup,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
