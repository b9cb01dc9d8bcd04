"""Builds TFMA's EvalConfig: metrics on the int64 counts that the model's own signature makes.

The signature `from_examples` counts each picture in the graph; TFMA adds the counts up, by slice too, and each metric
is one function of a sum. TFMA's own thresholds are set as well, so that its viewer agrees with the gate on them; what
the gate asks beyond them is judged by `evaluate/gate.py`.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from numpy.typing import NDArray
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from segpipe.config import Config
from segpipe.metrics.measures import MEASURES, OUTPUTS

Counts = NDArray[np.int64]

SIGNATURE = "from_examples"


def eval_config(config: Config, slicings: Sequence[str] = ()) -> config_pb2.EvalConfig:
    """Builds what TFMA is told.

    Args:
      config: the run's classes and gate.
      slicings: attributes of the pictures by whose value to slice.

    Returns:
      One model spec, to which TFMA's defaults add the baseline where there is one; the metrics `mean_iou`,
      `pixel_accuracy`, `frequency_weighted_iou`, `mean_boundary_iou` and `calibration_error`; `class_iou/<class>`,
      `dice/<class>` and `class_boundary_iou/<class>` for every class; and the summed counts.
    """
    gate = config.gate
    metrics = [_metric("mean_iou", "mean_iou", floor=gate.min_mean_iou, max_drop=gate.max_mean_iou_drop)]
    for name, measure in MEASURES.items():
        if measure.per_class:
            floors = gate.min_class_iou if name == "class_iou" else {}
            metrics += [
                _metric(f"{name}/{label}", name, class_id, floors.get(label))
                for class_id, label in enumerate(config.data.classes)
            ]
        elif name != "mean_iou":
            metrics.append(_metric(name, name))
    metrics += [_metric(output, output) for output in OUTPUTS]
    return config_pb2.EvalConfig(
        # Without a model type TFMA loads the SavedModel once more, as a Keras model, only to find out what it is.
        model_specs=[config_pb2.ModelSpec(signature_name=SIGNATURE, model_type=constants.TF_GENERIC)],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=[slicing]) for slicing in slicings),
        ],
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics)],
    )


def _metric(
    name: str, measure: str, class_id: int | None = None, floor: float | None = None, max_drop: float | None = None
) -> config_pb2.MetricConfig:
    threshold = config_pb2.MetricThreshold()
    if floor is not None:
        threshold.value_threshold.lower_bound.value = floor
    if max_drop is not None:
        threshold.change_threshold.direction = config_pb2.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = -max_drop
    # A plain threshold would hold for every slice; the empty slicing spec means the whole.
    whole = config_pb2.PerSliceMetricThreshold(slicing_specs=[config_pb2.SlicingSpec()], threshold=threshold)
    return config_pb2.MetricConfig(
        class_name=SegmentationMetric.__name__,
        module=SegmentationMetric.__module__,
        config=json.dumps({"name": name, "measure": measure, "class_id": class_id}),
        per_slice_thresholds=[whole] if floor is not None or max_drop is not None else [],
    )


class SegmentationMetric(tfma.metrics.Metric):
    """One number of a summed output; all metrics of an output share one sum."""

    def __init__(self, name: str, measure: str, class_id: int | None = None):
        """Names the metric.

        Args:
          name: as it appears in TFMA's results.
          measure: a key of MEASURES, or an output to report its sum as it is.
          class_id: which class, for a measure that has a value for each.
        """
        super().__init__(
            tfma.metrics.merge_per_key_computations(_computations), name=name, measure=measure, class_id=class_id
        )


def _computations(
    name: str, measure: str, class_id: int | None, model_name: str = "", output_name: str = ""
) -> list[Any]:
    output = measure if measure in OUTPUTS else MEASURES[measure].output
    total = metric_types.MetricKey(name=f"_{output}", model_name=model_name, output_name=output_name)
    key = metric_types.MetricKey(name=name, model_name=model_name, output_name=output_name)

    def result(metrics: dict[Any, Any]) -> dict[Any, Any]:
        if measure in OUTPUTS:
            return {key: metrics[total]}
        values = MEASURES[measure].of(metrics[total])
        return {key: float(values if class_id is None else values[class_id])}

    return [
        metric_types.MetricComputation(keys=[total], preprocessors=None, combiner=_Sum(total, output)),
        metric_types.DerivedMetricComputation(keys=[key], result=result),
    ]


class _Sum(beam.CombineFn):
    """Adds an output of the pictures up in int64, which stays exact where TFMA's own float32 does not."""

    def __init__(self, key: metric_types.MetricKey, output: str):
        self._key = key
        self._output = output

    def create_accumulator(self) -> Counts:
        return np.zeros((), np.int64)

    def add_input(self, total: Counts, element: metric_types.StandardMetricInputs) -> Counts:
        predictions = element.get_predictions(self._key.model_name, self._key.output_name)
        return total + np.asarray(predictions[self._output]).reshape(-1)

    def merge_accumulators(self, totals: Iterable[Counts]) -> Counts:
        return sum(totals, self.create_accumulator())

    def extract_output(self, total: Counts) -> dict[metric_types.MetricKey, Counts]:
        return {self._key: total}
