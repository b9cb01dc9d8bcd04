"""Computes segmentation metrics from confusion counts: exact integers until the last division.

A confusion matrix is int64 [..., K, K]: row = truth, column = prediction, ignored pixels not counted. Leading axes,
such as pictures or bootstrap resamples, are kept. A metric that has no pixel to judge is NaN.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def confusion_matrix(truth: ArrayLike, prediction: ArrayLike, num_classes: int) -> NDArray[np.int64]:
    """Counts pixels by true and predicted class.

    Args:
      truth: integers of any shape; pixels outside 0…K-1, as 255 = ignore, are not counted.
      prediction: integers of the same shape, in 0…K-1 wherever the truth counts.
      num_classes: K.

    Returns:
      int64 [K, K].

    Raises:
      ValueError: a counted pixel is predicted outside 0…K-1.
    """
    truth, prediction = np.asarray(truth).astype(np.int64), np.asarray(prediction).astype(np.int64)
    counted = (truth >= 0) & (truth < num_classes)
    truth, prediction = truth[counted], prediction[counted]
    if prediction.size and (prediction.min() < 0 or prediction.max() >= num_classes):
        raise ValueError(f"predictions must be in 0…{num_classes - 1}, got {prediction.min()}…{prediction.max()}.")
    return np.bincount(truth * num_classes + prediction, minlength=num_classes**2).reshape(num_classes, num_classes)


def square(counts: ArrayLike) -> NDArray[np.int64]:
    """Reshapes flat counts [..., K*K] to [..., K, K] int64.

    Raises:
      ValueError: the last axis is not a square number, or the counts are not whole numbers.
    """
    array: NDArray[Any] = np.asarray(counts)
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"confusion counts must be integers, got {array.dtype}.")
    side = int(np.sqrt(array.shape[-1]) + 0.5)
    if side * side != array.shape[-1]:
        raise ValueError(f"confusion counts must come as K*K numbers, got {array.shape[-1]}.")
    return array.astype(np.int64).reshape(*array.shape[:-1], side, side)


def margins(confusion: ArrayLike) -> NDArray[np.int64]:
    """Right, true and predicted pixels of each class: [..., 3, K]; all that IoU and Dice need, and additive too."""
    return np.stack(_margins(confusion), axis=-2)


def class_iou(confusion: ArrayLike) -> Floats:
    """Intersection over union [..., K] of each class; NaN for a class neither in the truth nor in the prediction."""
    return class_iou_of_margins(margins(confusion))


def class_iou_of_margins(margins: ArrayLike) -> Floats:
    """As `class_iou`, from `margins` [..., 3, K]."""
    hit, truth, prediction = np.moveaxis(np.asarray(margins), -2, 0)
    return _ratio(hit, truth + prediction - hit)


def mean_iou(confusion: ArrayLike) -> Floats:
    """Mean IoU [...] over the classes that are in the truth or in the prediction; NaN where no pixel counts."""
    return mean_iou_of_margins(margins(confusion))


def mean_iou_of_margins(margins: ArrayLike) -> Floats:
    """As `mean_iou`, from `margins` [..., 3, K]."""
    iou = class_iou_of_margins(margins)
    present = ~np.isnan(iou)
    return _ratio(np.where(present, iou, 0.0).sum(axis=-1), present.sum(axis=-1))


def dice(confusion: ArrayLike) -> Floats:
    """Dice coefficient [..., K] of each class, which is its F1 score; NaN for a class that is nowhere."""
    hit, truth, prediction = _margins(confusion)
    return _ratio(2 * hit, truth + prediction)


def precision(confusion: ArrayLike) -> Floats:
    """Share [..., K] of the pixels predicted as a class that are of it; NaN for a class never predicted."""
    hit, _, prediction = _margins(confusion)
    return _ratio(hit, prediction)


def recall(confusion: ArrayLike) -> Floats:
    """Share [..., K] of a class's pixels that are predicted as it; NaN for a class that is not in the truth."""
    hit, truth, _ = _margins(confusion)
    return _ratio(hit, truth)


def pixel_accuracy(confusion: ArrayLike) -> Floats:
    """Share [...] of the counted pixels that are right; NaN where no pixel counts."""
    hit, truth, _ = _margins(confusion)
    return _ratio(hit.sum(axis=-1), truth.sum(axis=-1))


def frequency_weighted_iou(confusion: ArrayLike) -> Floats:
    """IoU [...] weighted by each class's share of the true pixels; NaN where no pixel counts.

    Long, Shelhamer and Darrell, 2015, https://arxiv.org/abs/1411.4038, section 5.
    """
    _, truth, _ = _margins(confusion)
    iou = np.nan_to_num(class_iou(confusion), nan=0.0)
    return _ratio((truth * iou).sum(axis=-1), truth.sum(axis=-1))


def _margins(confusion: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Hits, true pixels and predicted pixels of each class, each [..., K]."""
    matrix = np.asarray(confusion)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(f"a confusion matrix is [..., K, K], got {list(matrix.shape)}.")
    return np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-1), matrix.sum(axis=-2)


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    return np.divide(numerator, denominator, out=np.full(denominator.shape, np.nan), where=denominator > 0)
