"""The recipe's numbers in, AdamW with warm-up and cosine decay out; learned weights move at a rate of their own."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from segpipe import config


class GroupedAdamW(keras.optimizers.AdamW):
    """AdamW (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101) with another rate for some variables.

    Args:
      slow: variables that learn at `slow_factor` times the rate.
      slow_factor: a number, usually below 1.
      **arguments: of keras.optimizers.AdamW.
    """

    def __init__(self, slow: Sequence[keras.Variable], slow_factor: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._slow_paths = frozenset(variable.path for variable in slow)
        self._slow_factor = slow_factor
        self._factors: list[float] = []

    def build(self, variables: list[keras.Variable]) -> None:
        """Makes the state for every variable."""
        super().build(variables)
        self._factors = [self._slow_factor if variable.path in self._slow_paths else 1.0 for variable in variables]

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Updates one variable by TensorFlow's fused kernel: a graph of half the nodes, traced in half the time."""
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=learning_rate * self._factors[index],
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def build(
    recipe: config.Train, variables: Sequence[keras.Variable], pretrained: Sequence[keras.Variable], steps: int
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
    adam = GroupedAdamW(pretrained, factor, learning_rate=schedule, weight_decay=recipe.weight_decay)
    # Decay pulls kernels towards zero; offsets and batch normalization have no reason to be small.
    adam.exclude_from_weight_decay(var_list=[variable for variable in variables if len(variable.shape) < 2])
    optimizer = keras.optimizers.LossScaleOptimizer(adam) if recipe.precision == "mixed_float16" else adam
    optimizer.build(list(variables))
    return optimizer


def learning_rate(recipe: config.Train, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Rises linearly from 0 over `warmup_epochs`, then falls to 0 along a cosine at the end of the last epoch."""
    warmup = min(round(recipe.warmup_epochs * steps), recipe.epochs * steps - 1)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else recipe.learning_rate,
        decay_steps=recipe.epochs * steps - warmup,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
