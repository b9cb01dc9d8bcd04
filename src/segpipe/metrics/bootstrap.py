"""Computes confidence intervals by drawing pictures again, the same ones for candidate and champion.

The paired bootstrap over pictures, percentile method: Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
chapters 8 and 13. Pixels of one picture are not independent, pictures are; so pictures are what is drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segpipe.metrics import confusion

_CHUNK_NUMBERS = 4_000_000
"""How many drawn weights memory holds at once: 32 MB."""


@dataclass(frozen=True)
class Interval:
    """A value on all pictures, and the ends of its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """What the resamples say.

    Attributes:
      mean_iou: of the candidate.
      class_iou: of the candidate, one for each class.
      difference: candidate's mean IoU − champion's on the same resamples; None without a champion.
    """

    mean_iou: Interval
    class_iou: tuple[Interval, ...]
    difference: Interval | None


def intervals(
    candidate: NDArray[np.int64],
    champion: NDArray[np.int64] | None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Intervals:
    """Bootstraps the IoU of a candidate, and its difference to the champion.

    Args:
      candidate: int64 [N, 3, K]: right, true and predicted pixels of each class in each picture.
      champion: those of the champion on the same pictures in the same order, or None.
      confidence: of the two-sided intervals, in 0.5…1.
      resamples: how many.
      seed: of the drawing; the same seed gives the same intervals.
    """
    models = [candidate] if champion is None else [candidate, champion]
    drawn = _resample(np.concatenate(models, axis=1), resamples, seed)
    whole = np.concatenate(models, axis=1).sum(axis=0)[None].astype(np.float64)

    def interval(measure: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Interval:
        return _interval(float(measure(whole)[0]), measure(drawn), confidence)

    return Intervals(
        mean_iou=interval(lambda sums: confusion.mean_iou_of_margins(sums[:, :3])),
        class_iou=tuple(
            interval(lambda sums, k=k: confusion.class_iou_of_margins(sums[:, :3])[:, k])  # type: ignore[misc]
            for k in range(candidate.shape[-1])
        ),
        difference=None
        if champion is None
        else interval(
            lambda sums: confusion.mean_iou_of_margins(sums[:, :3]) - confusion.mean_iou_of_margins(sums[:, 3:])
        ),
    )


def _resample(margins: NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.float64]:
    """The sums over `resamples` drawings of N pictures out of N [N, M, K], with replacement: float64 [R, M, K]."""
    pictures = len(margins)
    rng = np.random.default_rng(seed)
    flat = margins.reshape(pictures, -1).astype(np.float64)  # Exact up to 2**53 pixels.
    share = np.full(pictures, 1 / pictures)
    chunk = max(1, _CHUNK_NUMBERS // pictures)
    sums = [
        rng.multinomial(pictures, share, size=min(chunk, resamples - start)).astype(np.float64) @ flat
        for start in range(0, resamples, chunk)
    ]
    return np.concatenate(sums).reshape(resamples, *margins.shape[1:])


def _interval(value: float, drawn: NDArray[np.float64], confidence: float) -> Interval:
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))
