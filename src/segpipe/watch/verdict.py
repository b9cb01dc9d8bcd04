"""Judges drift and, if labels have come in, accuracy: ok, drift or degraded, with the reasons in words."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segpipe.metrics import confusion
from segpipe.metrics.bootstrap import Interval
from segpipe.watch.drift import Drift, Feature

OK = "ok"
DRIFT = "drift"
DEGRADED = "degraded"
TOO_FEW = "too few"


@dataclass(frozen=True)
class Accuracy:
    """The deployed model on labelled requests, against its own test split.

    Attributes:
      pictures: that have labels.
      mean_iou: on them.
      test_mean_iou: on the test split.
      difference: of the two, with its confidence interval; below 0 is worse than at the gate.
    """

    pictures: int
    mean_iou: float
    test_mean_iou: float
    difference: Interval


@dataclass(frozen=True)
class Verdict:
    """What to make of a window.

    Attributes:
      status: OK, DRIFT, DEGRADED, or TOO_FEW pictures to say.
      reasons: one sentence each.
    """

    status: str
    reasons: tuple[str, ...]


def accuracy(
    labelled: NDArray[np.int64], test: NDArray[np.int64], confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Accuracy:
    """Compares labelled requests with the test split; other pictures, so each is drawn anew on its own.

    Args:
      labelled: int64 [N, 3, K], right, true and predicted pixels of each class in each labelled picture.
      test: int64 [M, 3, K], those of the test split.
      confidence: of the two-sided interval.
      resamples: how many.
      seed: of the drawing.
    """
    rng = np.random.default_rng(seed)

    def drawn(margins: NDArray[np.int64]) -> NDArray[np.float64]:
        weights = rng.multinomial(len(margins), np.full(len(margins), 1 / len(margins)), size=resamples)
        sums = weights.astype(np.float64) @ margins.reshape(len(margins), -1).astype(np.float64)
        return confusion.mean_iou_of_margins(sums.reshape(resamples, *margins.shape[1:]))

    here = float(confusion.mean_iou_of_margins(labelled.sum(axis=0)))
    there = float(confusion.mean_iou_of_margins(test.sum(axis=0)))
    low, high = np.nanquantile(drawn(labelled) - drawn(test), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Accuracy(len(labelled), here, there, Interval(here - there, float(low), float(high)))


def judge(
    drift: Drift | None, measured: Accuracy | None, max_mean_iou_drop: float, min_pictures: int, pictures: int
) -> Verdict:
    """Says what to make of a window.

    Labels decide where there are any: a world that looks different but is segmented as well as ever has drifted, and
    is not degraded. The model is degraded when even the favourable end of the interval lies beyond the allowed drop.

    Args:
      drift: None where the window is too small.
      measured: None where no labels have come in.
      max_mean_iou_drop: allowed below the test split's mean IoU.
      min_pictures: for a verdict without labels.
      pictures: in the window.
    """
    reasons = [_drift_sentence(feature) for feature in drift.features if feature.drifted] if drift else []
    if measured is not None and measured.difference.high < -max_mean_iou_drop:
        sentence = (
            f"mean IoU is {measured.mean_iou:.3f} on {measured.pictures} labelled pictures and was "
            f"{measured.test_mean_iou:.3f} on the test split: {measured.difference.value:+.3f} "
            f"[{measured.difference.low:+.3f}, {measured.difference.high:+.3f}], allowed is {-max_mean_iou_drop:.3f}."
        )
        return Verdict(DEGRADED, (sentence, *reasons))
    if reasons:
        return Verdict(DRIFT, tuple(reasons))
    if drift is None and measured is None:
        return Verdict(TOO_FEW, (f"the window holds {pictures} pictures; {min_pictures} are needed.",))
    return Verdict(OK, ())


def _drift_sentence(feature: Feature) -> str:
    return (
        f"{feature.name} moved from {feature.reference_mean:.3f} to {feature.window_mean:.3f} on average: "
        f"{feature.measure} {feature.distance:.3f}, chance gives up to {feature.threshold:.3f}."
    )
