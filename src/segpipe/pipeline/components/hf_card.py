"""Reads what a model card says of an evaluation: metrics, slices and the gate's verdict."""

from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.proto import metrics_for_slice_pb2
from tfx.dsl.io import fileio

from segpipe.evaluate.evidence import VERDICT_FILE
from segpipe.evaluate.gate import Verdict


def measured(uri: str) -> dict[str, Any]:
    """The fields of `publish.card.CardInput` that an evaluation knows.

    Args:
      uri: of a ModelEvaluation artifact, by segpipe's Evaluator or by TFX's own.
    """
    facts: dict[str, Any] = {"metrics": {}, "slices": {}}
    for row in tfma.load_metrics(uri):
        name = _slice_name(row.slice_key)
        (facts["slices"].setdefault(name, {}) if name else facts["metrics"]).update(_numbers(row))
    path = f"{uri}/{VERDICT_FILE}"
    if fileio.exists(path):
        with fileio.open(path) as file:
            verdict = Verdict.from_json(file.read())
        override = [f"Overridden by a person: {verdict.override}"] if verdict.override else []
        facts |= {"blessed": verdict.blessed, "rules": [*(rule.sentence for rule in verdict.rules), *override]}
    return facts


def _numbers(row: metrics_for_slice_pb2.MetricsForSlice) -> dict[str, float]:
    """The candidate's plain numbers."""
    return {
        metric.key.name: metric.value.double_value.value
        for metric in row.metric_keys_and_values
        if metric.key.model_name in ("", constants.CANDIDATE_KEY)
        and not metric.key.is_diff
        and metric.value.WhichOneof("type") == "double_value"
    }


def _slice_name(key: metrics_for_slice_pb2.SliceKey) -> str:
    """As in "breed=Siamese"; empty for the whole."""
    return ", ".join(f"{single.column}={_text(single)}" for single in key.single_slice_keys)


def _text(single: metrics_for_slice_pb2.SingleSliceKey) -> str:
    value = getattr(single, single.WhichOneof("kind"))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
