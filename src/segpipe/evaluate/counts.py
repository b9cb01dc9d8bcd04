"""Truth and logits in, evaluation counts per picture out, in the TensorFlow graph: Beam moves numbers, not pixels.

Every output is int64, of a fixed size per picture and additive: a split, a slice or a bootstrap resample is a sum.
`evaluate/confusion.py`, `boundary.py` and `calibration.py` turn the sums into metrics.
"""

import tensorflow as tf

from segpipe.evaluate.boundary import tolerance_pixels
from segpipe.evaluate.calibration import BINS, UNITS


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
    prediction = tf.argmax(logits, axis=-1, output_type=tf.int32)
    counted = truth < num_classes  # 255 = ignore is never a class id.
    return {
        "confusion": _count(truth * num_classes + prediction, counted, num_classes**2),
        "boundary": _boundary(truth, prediction, counted, num_classes, tolerance_pixels(size)),
        "calibration": _calibration(logits, prediction == truth, counted),
    }


def _boundary(
    truth: tf.Tensor, prediction: tf.Tensor, counted: tf.Tensor, num_classes: int, tolerance: int
) -> tf.Tensor:
    near_truth = _near_boundary(truth, counted, num_classes, tolerance)
    near_prediction = _near_boundary(prediction, counted, num_classes, tolerance)
    both = near_truth & near_prediction & (truth == prediction)
    return tf.concat(
        [
            _count(truth, both, num_classes),
            _count(truth, near_truth, num_classes),
            _count(prediction, near_prediction, num_classes),
        ],
        axis=-1,
    )


def _near_boundary(classes: tf.Tensor, counted: tf.Tensor, num_classes: int, tolerance: int) -> tf.Tensor:
    """Which counted pixels have one of another class within `tolerance` rows and columns: bool [N, S, S].

    A window holds one class where its largest and its smallest class id agree, whatever the number of classes.
    Ignored pixels belong to no class, so they make no boundary; nor does the edge of the picture.
    """
    largest = _window_max(tf.where(counted, classes, -1), tolerance)
    smallest = -_window_max(tf.where(counted, -classes, -num_classes), tolerance)
    return counted & (largest != smallest)


def _window_max(values: tf.Tensor, tolerance: int) -> tf.Tensor:
    """The largest value within `tolerance` rows and columns; rows then columns, which costs 2d instead of d*d."""
    side = 2 * tolerance + 1
    pooled = tf.cast(values, tf.float32)[..., None]
    for window in ([side, 1], [1, side]):
        pooled = tf.nn.max_pool2d(pooled, window, strides=1, padding="SAME")
    return tf.cast(pooled[..., 0], tf.int32)


def _calibration(logits: tf.Tensor, right: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    confidence = 1.0 / tf.reduce_sum(tf.exp(logits - tf.reduce_max(logits, axis=-1, keepdims=True)), axis=-1)
    confidence_bin = tf.minimum(tf.cast(confidence * BINS, tf.int32), BINS - 1)
    units = tf.cast(tf.round(confidence * UNITS), tf.int64)
    return tf.concat(
        [
            _count(confidence_bin, counted, BINS),
            _count(confidence_bin, counted & right, BINS),
            _sum(confidence_bin, units, counted, BINS),
        ],
        axis=-1,
    )


def _count(cell: tf.Tensor, counted: tf.Tensor, cells: int) -> tf.Tensor:
    """How many counted pixels [N, S, S] of each picture fall into each of `cells` cells: int64 [N, cells]."""
    return _sum(cell, tf.ones_like(cell, tf.int64), counted, cells)


def _sum(cell: tf.Tensor, values: tf.Tensor, counted: tf.Tensor, cells: int) -> tf.Tensor:
    """The sum of `values` int64 [N, S, S] over the counted pixels of each picture and cell: int64 [N, cells]."""
    pictures = tf.shape(cell)[0]
    segment = tf.range(pictures)[:, None, None] * cells + tf.where(counted, cell, 0)
    values = tf.where(counted, values, tf.zeros_like(values))
    return tf.reshape(tf.math.unsorted_segment_sum(values, segment, pictures * cells), [-1, cells])
