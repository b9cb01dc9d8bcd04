"""Computes the loss: cross-entropy plus Dice, without the ignored pixels."""

import numpy as np
import tensorflow as tf

from segpipe import schema


def segmentation_loss(
    logits: tf.Tensor,
    masks: tf.Tensor,
    class_weights: tf.Tensor | None = None,
    dice_weight: float = 1.0,
    label_smoothing: float = 0.0,
) -> tf.Tensor:
    """Mean cross-entropy over the judged pixels + `dice_weight` × mean soft Dice loss over the classes present.

    Dice as in Milletari et al. 2016, https://arxiv.org/abs/1606.04797, with sums over the whole batch.

    Args:
      logits: float32 [N, S, S, K].
      masks: uint8 [N, S, S], class ids 0…K-1, 255 = ignore.
      class_weights: float32 [K], the weight of a pixel by its true class; none: all alike.
      dice_weight: 0 for cross-entropy alone.
      label_smoothing: share of the truth spread evenly over all classes, in [0, 1).

    Returns:
      float32 scalar; 0 where every pixel is ignored.
    """
    num_classes = logits.shape[-1]
    judged = tf.cast(masks != schema.IGNORE, tf.float32)
    truth = tf.one_hot(tf.cast(masks, tf.int32), num_classes)  # 255 becomes a row of zeros.
    weight = judged if class_weights is None else tf.linalg.matvec(truth, class_weights)
    smooth = truth * (1 - label_smoothing) + label_smoothing / num_classes
    entropy = tf.nn.softmax_cross_entropy_with_logits(smooth, logits)
    loss = tf.math.divide_no_nan(tf.reduce_sum(weight * entropy), tf.reduce_sum(weight))
    if dice_weight == 0:
        return loss
    guess = tf.nn.softmax(logits) * judged[..., tf.newaxis]
    both, guessed, true = (tf.reduce_sum(x, [0, 1, 2]) for x in (guess * truth, guess, truth))
    present = tf.cast(true > 0, tf.float32)
    dice_loss = present * (1 - 2 * both / tf.maximum(guessed + true, 1.0))
    return loss + dice_weight * tf.math.divide_no_nan(tf.reduce_sum(dice_loss), tf.reduce_sum(present))


def balanced_weights(class_pixels: np.ndarray, power: float = 1.0) -> np.ndarray:
    """Weights float32 [K]: (all pixels / (classes × pixels of the class)) to a power.

    Args:
      class_pixels: int [K]; a class without pixels gets weight 0.
      power: 1 makes every class that occurs count alike; 0.5 goes half the way, so that a very rare class is found
        without being guessed everywhere.
    """
    pixels = np.asarray(class_pixels, np.float64)
    present = pixels > 0
    weights = np.zeros_like(pixels)
    weights[present] = (pixels.sum() / (present.sum() * pixels[present])) ** power
    return weights.astype(np.float32)
