"""Pictures as the model saw them in, one row of numbers each out: the same columns in training and in service."""

from collections.abc import Sequence

import numpy as np

from segpipe import schema
from segpipe.serve.kept import Kept
from segpipe.watch.drift import Floats

CONFIDENCE = "confidence"
DOMINANT = "dominant_class"


def class_column(class_name: str) -> str:
    """The column with the predicted share of a class."""
    return f"predicted_fraction/{class_name}"


def of_predictions(class_fraction: Floats, confidence: Floats, classes: Sequence[str]) -> dict[str, Floats]:
    """Columns of what a model predicted.

    Args:
      class_fraction: [N, K], predicted shares.
      confidence: [N].
      classes: K names.
    """
    columns = {class_column(name): class_fraction[:, k] for k, name in enumerate(classes)}
    return {**columns, CONFIDENCE: confidence, DOMINANT: class_fraction.argmax(axis=1).astype(np.float64)}


def of_kept(kept: Sequence[Kept], classes: Sequence[str]) -> dict[str, Floats]:
    """Every column of requests that a server kept."""
    statistics = {
        name: np.array([one.statistics[name] for one in kept], np.float64) for name in schema.IMAGE_STATISTICS
    }
    fraction = np.array([one.class_fraction for one in kept], np.float64).reshape(len(kept), len(classes))
    confidence = np.array([one.confidence for one in kept], np.float64)
    return {**statistics, **of_predictions(fraction, confidence, classes)}
