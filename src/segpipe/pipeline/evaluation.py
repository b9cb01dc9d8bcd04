"""What TFMA wrote in, the models' counts and metrics on the test split out."""

from dataclasses import dataclass

import numpy as np
import tensorflow_model_analysis as tfma
from numpy.typing import NDArray
from tensorflow_model_analysis import constants

from segpipe.pipeline.metrics import CONFUSION


@dataclass(frozen=True)
class Scores:
    """One model on the test split.

    Attributes:
      confusion: int64 [K, K], row = truth, column = prediction.
      metrics: by name, as in {"mean_iou": 0.672, "class_iou/cat": 0.71}; NaN where there is nothing to judge.
    """

    confusion: NDArray[np.int64]
    metrics: dict[str, float]


def read(uri: str) -> tuple[Scores, Scores | None]:
    """Reads an Evaluator's `evaluation` output.

    Args:
      uri: of the ModelEvaluation artifact.

    Returns:
      The candidate's scores, and the baseline's or None where there was no baseline.
    """
    [overall] = [row for row in tfma.load_metrics(uri) if not row.slice_key.single_slice_keys]
    counts: dict[str, NDArray[np.int64]] = {}
    metrics: dict[str, dict[str, float]] = {}
    for metric in overall.metric_keys_and_values:
        if metric.key.is_diff:
            continue
        model = metric.key.model_name or constants.CANDIDATE_KEY
        if metric.key.name == CONFUSION:
            array = metric.value.array_value
            counts[model] = np.array(array.int64_values, np.int64).reshape(tuple(array.shape))
        elif metric.value.WhichOneof("type") == "double_value":
            metrics.setdefault(model, {})[metric.key.name] = metric.value.double_value.value
    scores = {model: Scores(counts[model], metrics[model]) for model in counts}
    return scores[constants.CANDIDATE_KEY], scores.get(constants.BASELINE_KEY)
