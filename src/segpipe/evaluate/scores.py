"""What one model scored on one split: its counts, and the metrics that come from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """One model on one split.

    Attributes:
      confusion: int64 [K, K], row = truth, column = prediction.
      boundary: int64 [3*K] as `metrics/boundary.py` reads it, or None for a model that did not count it.
      calibration: int64 [3*BINS] as `metrics/calibration.py` reads it, or None.
      metrics: by name, as in {"mean_iou": 0.672, "class_iou/cat": 0.71}; NaN if there is nothing to judge.
    """

    confusion: Counts
    boundary: Counts | None = None
    calibration: Counts | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
