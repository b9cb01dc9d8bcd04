"""Compiles the two steps of training: one learns, the other judges."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from segpipe.config.train import Train
from segpipe.preprocess import pictures
from segpipe.train import distribution
from segpipe.train.augment import augment
from segpipe.train.losses import segmentation_loss
from segpipe.train.metrics import confusion

TrainStep = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
EvalStep = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def train_step(
    model: keras.Model,
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    recipe: Train,
    class_weights: np.ndarray | None,
    seed: int,
) -> TrainStep:
    """Compiles one step of learning.

    Args:
      model: float32 [N, S, S, 3] → logits float32 [N, S, S, K].
      variables: the variables to update.
      optimizer: built for at least these variables; its step count seeds the augmentation.
      recipe: the config's [train] section.
      class_weights: float32 [K] or None.
      seed: of the run.

    Returns:
      A function of images uint8 [N, S, S, 3] and masks uint8 [N, S, S] that returns the loss before the step.
    """
    variables = list(variables)
    strategy = distribution.strategy()
    replicas = strategy.num_replicas_in_sync
    loss_of = _compiled_loss(recipe, None if class_weights is None else tf.constant(class_weights, tf.float32))

    def learn(images: tf.Tensor, masks: tf.Tensor) -> tf.Tensor:
        inputs = pictures.normalize(images)
        if recipe.augment:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            inputs, masks = augment(inputs, masks, tf.stack([seed + replica, tf.cast(optimizer.iterations, tf.int32)]))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            logits = model(inputs, training=True)
            loss = loss_of(logits, masks)
            # The optimizer adds the replicas' gradients up.
            scaled = optimizer.scale_loss(loss / replicas)
        optimizer.apply(tape.gradient(scaled, [variable.value for variable in variables]), variables)
        return loss

    @tf.function(jit_compile=recipe.xla, autograph=False)
    def step(images: tf.Tensor, masks: tf.Tensor) -> tf.Tensor:
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, strategy.run(learn, (images, masks)), axis=None)

    return step


def eval_step(model: keras.Model, recipe: Train, image_size: int) -> EvalStep:
    """Compiles one step of judging.

    Returns:
      A function of images uint8 [N, S, S, 3] and masks uint8 [N, S, S], for any N, that returns the loss, float32, and
      the confusion counts, int64 [K, K].
    """
    loss_of = _compiled_loss(recipe, None)
    signature = [
        tf.TensorSpec([None, image_size, image_size, 3], tf.uint8),
        tf.TensorSpec([None, image_size, image_size], tf.uint8),
    ]

    @tf.function(input_signature=signature, autograph=False)
    def step(images: tf.Tensor, masks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = model(pictures.normalize(images), training=False)
        return loss_of(logits, masks), confusion(masks, logits)

    return step


def _compiled_loss(recipe: Train, class_weights: tf.Tensor | None) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The loss of logits float32 [N, S, S, K] and masks uint8 [N, S, S], as one operation."""

    # Many small ones on every pixel: XLA makes one of them. (It would slow the convolutions down on a CPU.)
    @tf.function(jit_compile=True, autograph=False)
    def loss_of(logits: tf.Tensor, masks: tf.Tensor) -> tf.Tensor:
        return segmentation_loss(logits, masks, class_weights, recipe.dice_weight, recipe.label_smoothing)

    return loss_of
