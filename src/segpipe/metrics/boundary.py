"""Computes Boundary IoU from counts of pixels near class boundaries.

Cheng, Girshick, Dollár, Berg and Kirillov, 2021, https://arxiv.org/abs/2103.16562: the IoU of only those pixels of a
class that lie near its contour, which a coarse outline cannot hide behind a large area. Here "near" means that a pixel
of another class lies within the tolerance in rows and in columns; the picture's own edge is no contour.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TOLERANCE = 0.02
"""Of the diagonal of the model's square, as in the paper."""


def tolerance_pixels(image_size: int) -> int:
    """How near is near, in pixels of the square of side `image_size` that the model sees."""
    return max(1, round(_TOLERANCE * math.hypot(image_size, image_size)))


def class_boundary_iou(counts: ArrayLike) -> NDArray[np.float64]:
    """Boundary IoU [..., K] of each class; NaN for a class without a boundary in truth and prediction.

    Args:
      counts: integers [..., 3*K]: pixels in both, in the truth, in the prediction.

    Raises:
      ValueError: the last axis is not a multiple of 3.
    """
    counts = np.asarray(counts)
    if counts.shape[-1] % 3:
        raise ValueError(f"boundary counts must come as 3*K numbers, got {counts.shape[-1]}.")
    both, truth, prediction = np.split(counts, 3, axis=-1)
    union = (truth + prediction - both).astype(np.float64)
    return np.divide(both, union, out=np.full(union.shape, np.nan), where=union > 0)


def mean_boundary_iou(counts: ArrayLike) -> NDArray[np.float64]:
    """Mean Boundary IoU [...] over the classes that have a boundary; NaN where none has."""
    iou = class_boundary_iou(counts)
    present = ~np.isnan(iou)
    classes = present.sum(axis=-1).astype(np.float64)
    total = np.where(present, iou, 0.0).sum(axis=-1)
    return np.divide(total, classes, out=np.full(classes.shape, np.nan), where=classes > 0)
