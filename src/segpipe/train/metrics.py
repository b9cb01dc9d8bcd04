"""Counts pixels and computes IoU exactly, to select the epoch by."""

import numpy as np
import tensorflow as tf


def confusion(masks: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Counts pixels by truth (row) and prediction (column).

    Args:
      masks: uint8 [N, S, S], class ids 0…K-1; 255 is not counted.
      logits: float32 [N, S, S, K].

    Returns:
      int64 [K, K]: exact for any number of pixels, unlike counts in float32.
    """
    num_classes = logits.shape[-1]
    truth = tf.cast(masks, tf.int32)
    cell = tf.boolean_mask(truth * num_classes + tf.argmax(logits, -1, tf.int32), truth < num_classes)
    counts = tf.math.bincount(cell, minlength=num_classes**2, maxlength=num_classes**2, dtype=tf.int64)
    return tf.reshape(counts, [num_classes, num_classes])


def class_iou(counts: np.ndarray) -> np.ndarray:
    """IoU of each class from confusion counts [K, K]: float64 [K], NaN where a class is neither true nor guessed."""
    both = np.diag(counts).astype(np.float64)
    union = counts.sum(0) + counts.sum(1) - both
    return np.divide(both, union, out=np.full(len(both), np.nan), where=union > 0)


def mean_iou(counts: np.ndarray) -> float:
    """Mean IoU over the classes that occur, from confusion counts [K, K]; 0 where none does."""
    scores = class_iou(counts)
    return float(np.nanmean(scores)) if not np.isnan(scores).all() else 0.0
