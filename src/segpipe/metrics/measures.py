"""Every score by name, as a function of summed counts: one list for TFMA and for `segpipe evaluate`."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpipe.metrics import boundary, calibration, confusion

Counts = NDArray[np.int64]

CONFUSION = "confusion"
BOUNDARY = "boundary"
CALIBRATION = "calibration"
OUTPUTS = (CONFUSION, BOUNDARY, CALIBRATION)
"""What `counts.py` counts of each picture."""


@dataclass(frozen=True)
class Measure:
    """A function of one summed output, flat: it gives a number, or where `per_class` is set one number per class."""

    output: str
    of: Callable[[Counts], Any]
    per_class: bool = False


def _of_matrix(measure: Callable[[Counts], Any]) -> Callable[[Counts], Any]:
    return lambda counts: measure(confusion.square(counts))


MEASURES = {
    "mean_iou": Measure(CONFUSION, _of_matrix(confusion.mean_iou)),
    "pixel_accuracy": Measure(CONFUSION, _of_matrix(confusion.pixel_accuracy)),
    "frequency_weighted_iou": Measure(CONFUSION, _of_matrix(confusion.frequency_weighted_iou)),
    "mean_boundary_iou": Measure(BOUNDARY, boundary.mean_boundary_iou),
    "calibration_error": Measure(CALIBRATION, calibration.expected_calibration_error),
    "class_iou": Measure(CONFUSION, _of_matrix(confusion.class_iou), per_class=True),
    "dice": Measure(CONFUSION, _of_matrix(confusion.dice), per_class=True),
    "class_boundary_iou": Measure(BOUNDARY, boundary.class_boundary_iou, per_class=True),
}


def measure(sums: Mapping[str, Counts], classes: Sequence[str]) -> dict[str, Any]:
    """Every score of a model, ready for JSON.

    Args:
      sums: int64, flat, by output.
      classes: names, in the order of the class ids.

    Returns:
      As in {"mean_iou": 0.67, "class_iou": {"cat": 0.7, "dog": None}}; None where there is nothing to judge.
    """
    scores: dict[str, Any] = {}
    for name, one in MEASURES.items():
        if one.output in sums:
            values = one.of(sums[one.output])
            scores[name] = (
                {label: or_none(values[class_id]) for class_id, label in enumerate(classes)}
                if one.per_class
                else or_none(values)
            )
    return scores


def or_none(value: Any) -> float | None:
    """A score for JSON: None for NaN, where there is nothing to judge."""
    number = float(value)
    return None if math.isnan(number) else number
