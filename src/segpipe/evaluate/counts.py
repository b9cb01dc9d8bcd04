"""Truth and logits in, evaluation counts per picture out, in the TensorFlow graph: Beam moves numbers, not pixels."""

import tensorflow as tf


def evaluation_outputs(truth: tf.Tensor, logits: tf.Tensor) -> dict[str, tf.Tensor]:
    """Counts, for each picture, what the evaluation adds up.

    Args:
      truth: int64 [N, S, S], class ids 0…K-1, 255 = ignore.
      logits: float32 [N, S, S, K].

    Returns:
      {"confusion": int64 [N, K*K]}: row = truth, column = prediction, ignored pixels not counted.
    """
    num_classes = logits.shape[-1]
    prediction = tf.argmax(logits, axis=-1, output_type=tf.int64)
    return {"confusion": _confusion(tf.cast(truth, tf.int64), prediction, num_classes)}


def _confusion(truth: tf.Tensor, prediction: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Confusion counts int64 [N, K*K] of truth and prediction int64 [N, S, S]."""
    pictures = tf.shape(truth, tf.int64)[0]
    cells = num_classes * num_classes
    counted = truth < num_classes  # 255 = ignore is never a class id.
    first_cell = tf.range(pictures)[:, None, None] * cells
    cell = tf.boolean_mask(first_cell + truth * num_classes + prediction, counted)
    counts = tf.math.bincount(tf.cast(cell, tf.int32), minlength=tf.cast(pictures * cells, tf.int32), dtype=tf.int64)
    return tf.reshape(counts, [-1, cells])
