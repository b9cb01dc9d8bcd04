"""A config in, TFMA's EvalConfig out: metrics on the model's own int64 confusion counts, with the gate's thresholds.

The signature `from_examples` counts each picture's confusion in the graph; TFMA adds the counts up and each metric is
one function of the sum. TFMA stops the candidate on floors and on the drop against the baseline; where there is no
baseline TFX drops the change thresholds itself.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from numpy.typing import NDArray
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from segpipe import schema
from segpipe.config import Config
from segpipe.evaluate import confusion

Counts = NDArray[np.int64]

CONFUSION = "confusion"
"""The signature's output that is counted, and the metric that reports the sum of it."""

MEASURES: dict[str, Callable[..., Any]] = {
    "mean_iou": confusion.mean_iou,
    "pixel_accuracy": confusion.pixel_accuracy,
    "frequency_weighted_iou": confusion.frequency_weighted_iou,
    "class_iou": confusion.class_iou,
    "dice": confusion.dice,
    CONFUSION: np.asarray,
}
"""Each a function of confusion counts [K, K]; class_iou and dice give one value per class."""

SIGNATURE = "from_examples"


def eval_config(config: Config, code_digest: str) -> config_pb2.EvalConfig:
    """Builds what the Evaluator component is told.

    Args:
      config: the run's classes and gate.
      code_digest: of the code that counts and judges; TFX reuses a cached evaluation only while it stays the same.

    Returns:
      One model spec, to which TFX adds the baseline where there is one; the metrics `mean_iou`, `pixel_accuracy`,
      `frequency_weighted_iou`, `class_iou/<class>` and `dice/<class>` for every class, and the summed `confusion`.
    """
    gate = config.gate
    per_class = [
        _metric(f"{measure}/{name}", measure, code_digest, class_id=class_id, floor=floors.get(name))
        for measure, floors in (("class_iou", gate.min_class_iou), ("dice", {}))
        for class_id, name in enumerate(config.data.classes)
    ]
    return config_pb2.EvalConfig(
        # Without a model type TFMA loads the SavedModel once more, as a Keras model, only to find out what it is.
        # The id stands in for a label, which TFMA asks for; the truth is already in the counts.
        model_specs=[
            config_pb2.ModelSpec(
                signature_name=SIGNATURE, model_type=constants.TF_GENERIC, prediction_key=CONFUSION, label_key=schema.ID
            )
        ],
        slicing_specs=[config_pb2.SlicingSpec()],
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=[
                    _metric(
                        "mean_iou", "mean_iou", code_digest, floor=gate.min_mean_iou, max_drop=gate.max_mean_iou_drop
                    ),
                    *(
                        _metric(name, name, code_digest)
                        for name in ("pixel_accuracy", "frequency_weighted_iou", CONFUSION)
                    ),
                    *per_class,
                ]
            )
        ],
    )


def _metric(
    name: str,
    measure: str,
    code_digest: str,
    class_id: int | None = None,
    floor: float | None = None,
    max_drop: float | None = None,
) -> config_pb2.MetricConfig:
    settings = {"name": name, "measure": measure, "class_id": class_id, "code_digest": code_digest}
    threshold = config_pb2.MetricThreshold()
    if floor is not None:
        threshold.value_threshold.lower_bound.value = floor
    if max_drop is not None:
        threshold.change_threshold.direction = config_pb2.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = -max_drop
    judged = floor is not None or max_drop is not None
    return config_pb2.MetricConfig(
        class_name=SegmentationMetric.__name__,
        module=SegmentationMetric.__module__,
        config=json.dumps(settings, sort_keys=True),
        threshold=threshold if judged else None,
    )


class SegmentationMetric(tfma.metrics.Metric):
    """One number of the summed confusion counts; all of them share one sum."""

    def __init__(self, name: str, measure: str, class_id: int | None = None, code_digest: str = ""):
        """Names the metric.

        Args:
          name: as it appears in TFMA's results.
          measure: a key of MEASURES.
          class_id: which class, for a measure that has a value for each.
          code_digest: unused here; it makes an evaluation by other code another evaluation.
        """
        super().__init__(
            tfma.metrics.merge_per_key_computations(_computations),
            name=name,
            measure=measure,
            class_id=class_id,
            code_digest=code_digest,
        )


def _computations(
    name: str, measure: str, class_id: int | None, code_digest: str, model_name: str = "", output_name: str = ""
) -> list[Any]:
    del code_digest
    total = metric_types.MetricKey(name="_confusion", model_name=model_name, output_name=output_name)
    key = metric_types.MetricKey(name=name, model_name=model_name, output_name=output_name)

    def result(metrics: dict[Any, Any]) -> dict[Any, Any]:
        values = MEASURES[measure](metrics[total])
        value = values if class_id is None else values[class_id]
        return {key: value if measure == CONFUSION else float(value)}

    return [
        metric_types.MetricComputation(keys=[total], preprocessors=None, combiner=_SumConfusion(total)),
        metric_types.DerivedMetricComputation(keys=[key], result=result),
    ]


class _SumConfusion(beam.CombineFn):
    """Adds the pictures' confusion counts up in int64, which stays exact where TFMA's own float32 does not."""

    def __init__(self, key: metric_types.MetricKey):
        self._key = key

    def create_accumulator(self) -> Counts:
        return np.zeros((), np.int64)

    def add_input(self, total: Counts, element: metric_types.StandardMetricInputs) -> Counts:
        predictions = element.get_predictions(self._key.model_name, self._key.output_name)
        # TFMA unwraps a signature's only output and keeps the names of several.
        flat = predictions[CONFUSION] if isinstance(predictions, dict) else predictions
        return total + confusion.square(np.asarray(flat).reshape(-1))

    def merge_accumulators(self, totals: Iterable[Counts]) -> Counts:
        return sum(totals, self.create_accumulator())

    def extract_output(self, total: Counts) -> dict[metric_types.MetricKey, Counts]:
        return {self._key: total}
