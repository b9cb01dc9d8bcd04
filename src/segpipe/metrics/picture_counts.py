"""Counts each picture in the TensorFlow graph, so that Beam moves numbers instead of pixels.

Every output is int64, of a fixed size per picture and additive: a split, a slice or a bootstrap resample is a sum.
`metrics/confusion.py`, `boundary.py` and `calibration.py` turn the sums into metrics.
"""

import tensorflow as tf

from segpipe.metrics.boundary import tolerance_pixels
from segpipe.metrics.calibration import BINS, UNITS


def evaluation_outputs(truth: tf.Tensor, logits: tf.Tensor) -> dict[str, tf.Tensor]:
    """Counts, for each picture, what the evaluation adds up.

    Args:
      truth: int64 [N, S, S], class ids 0…K-1, 255 = ignore.
      logits: float32 [N, S, S, K], with S and K known.

    Returns:
      confusion: int64 [N, K*K], row = truth, column = prediction, ignored pixels not counted.
      boundary: int64 [N, 3*K], pixels of each class near a class boundary: in both truth and prediction, in the
        truth, in the prediction.
      calibration: int64 [N, 3*BINS], by confidence bin: pixels, right pixels, sum of the confidence in UNITS.
    """
    size, num_classes = logits.shape[1], logits.shape[-1]
    truth = tf.cast(truth, tf.int32)
    # One pass for both: tf.argmax alone takes longer.
    highest, prediction = (tf.squeeze(found, -1) for found in tf.math.top_k(logits, k=1))
    counted = truth < num_classes  # 255 = ignore is never a class id.
    return {
        "confusion": _count(truth * num_classes + prediction, counted, num_classes**2),
        "boundary": _boundary(truth, prediction, counted, num_classes, tolerance_pixels(size)),
        "calibration": _calibration(logits, highest, prediction == truth, counted),
    }


def _boundary(
    truth: tf.Tensor, prediction: tf.Tensor, counted: tf.Tensor, num_classes: int, tolerance: int
) -> tf.Tensor:
    near_truth, near_prediction = _near_boundary(truth, prediction, counted, num_classes, tolerance)
    both = near_truth & near_prediction & (truth == prediction)
    return tf.concat(
        [
            _count(truth, both, num_classes),
            _count(truth, near_truth, num_classes),
            _count(prediction, near_prediction, num_classes),
        ],
        axis=-1,
    )


def _near_boundary(
    truth: tf.Tensor, prediction: tf.Tensor, counted: tf.Tensor, num_classes: int, tolerance: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Which counted pixels have one of another class within `tolerance` rows and columns: bool [N, S, S], twice.

    A window holds one class where its largest and its smallest class id agree, whatever the number of classes.
    Ignored pixels belong to no class, so they make no boundary; nor does the edge of the picture.
    """
    maps = []
    for classes in (truth, prediction):
        maps += [tf.where(counted, classes, -1), tf.where(counted, -classes, -num_classes)]
    # The largest within the window, rows then columns, which costs 2d instead of d*d; the four maps as channels.
    pooled = tf.cast(tf.stack(maps, axis=-1), tf.float32)
    side = 2 * tolerance + 1
    for window in ([side, 1], [1, side]):
        pooled = tf.nn.max_pool2d(pooled, window, strides=1, padding="SAME")
    largest_true, smallest_true, largest_predicted, smallest_predicted = tf.unstack(pooled, axis=-1)
    return counted & (largest_true != -smallest_true), counted & (largest_predicted != -smallest_predicted)


def _calibration(logits: tf.Tensor, highest: tf.Tensor, right: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    confidence = 1.0 / tf.reduce_sum(tf.exp(logits - highest[..., None]), axis=-1)
    confidence_bin = tf.minimum(tf.cast(confidence * BINS, tf.int32), BINS - 1)
    units = tf.cast(tf.round(confidence * UNITS), tf.int64)
    return tf.concat(
        [
            _count(confidence_bin, counted, BINS),
            _count(confidence_bin, counted & right, BINS),
            _count(confidence_bin, counted, BINS, units),
        ],
        axis=-1,
    )


def _count(cell: tf.Tensor, counted: tf.Tensor, cells: int, weights: tf.Tensor | None = None) -> tf.Tensor:
    """How many counted pixels of each picture, or how much of their weight, falls into each cell.

    Args:
      cell: int32 [N, S, S], in 0…cells-1 wherever `counted`.
      counted: bool [N, S, S].
      cells: how many there are.
      weights: int64 [N, S, S]; 1 for each pixel when left out.

    Returns:
      int64 [N, cells].
    """
    pixels = [-1, cell.shape[1] * cell.shape[2]]
    return tf.math.bincount(
        tf.reshape(tf.where(counted, cell, cells), pixels),  # What lies past `maxlength` is not counted.
        weights=None if weights is None else tf.reshape(weights, pixels),
        minlength=cells,
        maxlength=cells,
        dtype=tf.int64,
        axis=-1,
    )
