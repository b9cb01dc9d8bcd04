"""Computes the expected calibration error from pixels counted by confidence.

Guo, Pleiss, Sun and Weinberger, 2017, https://arxiv.org/abs/1706.04599, with pixels as samples and the largest softmax
probability as the confidence.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15
"""Of equal width over 0…1, as in the paper."""

UNITS = 1_000_000
"""Confidence is summed in millionths, so that the sum is an exact integer in any order."""


def expected_calibration_error(counts: ArrayLike) -> NDArray[np.float64]:
    """How far confidence and accuracy lie apart on average, in 0…1, weighted by pixels; NaN where no pixel counts.

    Args:
      counts: integers [..., 3*BINS]: pixels, right pixels, and summed confidence in UNITS, by bin.
    """
    pixels, right, confidence = np.split(np.asarray(counts), 3, axis=-1)
    total = pixels.sum(axis=-1).astype(np.float64)
    gaps = np.abs(right - confidence / UNITS).sum(axis=-1)
    return np.divide(gaps, total, out=np.full(total.shape, np.nan), where=total > 0)


def reliability(counts: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The reliability diagram: mean confidence, accuracy, share of the pixels, each [..., BINS]; NaN in empty bins."""
    pixels, right, confidence = np.split(np.asarray(counts), 3, axis=-1)
    filled = pixels > 0
    empty = np.full(pixels.shape, np.nan)
    total = np.maximum(pixels.sum(axis=-1, keepdims=True), 1)
    return (
        np.divide(confidence / UNITS, pixels, out=empty.copy(), where=filled),
        np.divide(right, pixels, out=empty.copy(), where=filled),
        pixels / total,
    )
