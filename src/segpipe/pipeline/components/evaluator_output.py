"""Reads the scores that TFMA wrote for the Evaluator."""

import numpy as np
import tensorflow_model_analysis as tfma
from numpy.typing import NDArray
from tensorflow_model_analysis import constants

from segpipe.evaluate.scores import Scores
from segpipe.metrics import confusion
from segpipe.metrics.measures import BOUNDARY, CALIBRATION, CONFUSION, OUTPUTS


def read(uri: str) -> tuple[Scores, Scores | None]:
    """Reads an Evaluator's `evaluation` output.

    Args:
      uri: of the ModelEvaluation artifact.

    Returns:
      The candidate's scores, and the baseline's or None where there was no baseline.
    """
    [overall] = [row for row in tfma.load_metrics(uri) if not row.slice_key.single_slice_keys]
    counts: dict[str, dict[str, NDArray[np.int64]]] = {}
    metrics: dict[str, dict[str, float]] = {}
    for metric in overall.metric_keys_and_values:
        if metric.key.is_diff:
            continue
        model = metric.key.model_name or constants.CANDIDATE_KEY
        if metric.key.name in OUTPUTS:
            values = np.array(metric.value.array_value.int64_values, np.int64)
            counts.setdefault(model, {})[metric.key.name] = values
        elif metric.value.WhichOneof("type") == "double_value":
            metrics.setdefault(model, {})[metric.key.name] = metric.value.double_value.value
    scores = {
        model: Scores(confusion.square(summed[CONFUSION]), summed[BOUNDARY], summed[CALIBRATION], metrics[model])
        for model, summed in counts.items()
    }
    return scores[constants.CANDIDATE_KEY], scores.get(constants.BASELINE_KEY)
