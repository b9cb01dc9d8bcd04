"""ExampleValidator that stops the run: statistics, schema and Examples in, anomalies out; nothing is trained on them.

Beside the schema it holds train against eval (skew) and against the last accepted run's train (drift), as far as the
config's [validation], or a comparator in the schema, says how far they may lie apart.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeAlias

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx import types
from tfx.components.example_validator import executor, labels
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.types import standard_component_specs as standard
from tfx.utils import writer_utils

from segpipe import schema
from segpipe.config import Validation
from segpipe.ingest import example
from segpipe.ingest import example_files as stored
from segpipe.ingest.bad_picture import BadPicturesError
from segpipe.pipeline.components.anomalies import DRIFT, SKEW, Anomaly, Compared, explain
from segpipe.pipeline.digest import code_digest

PREVIOUS = "previous_statistics"
LIMITS = "limits"
STATISTICS_ID = "statistics_id"
"""Property of the anomalies: which statistics were accepted. `baseline.LatestOtherAcceptedStatistics` reads it."""

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList


class BlockingExecutor(executor.Executor):
    """TFX's executor only writes the anomalies down; this one fails with them."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Validates every split.

        Raises:
          BadPicturesError: the statistics do not fit; one sentence for each anomaly, and the pictures that cause it.
        """
        statistics = artifact_utils.get_single_instance(input_dict[standard.STATISTICS_KEY])
        accepted = artifact_utils.get_single_instance(output_dict[standard.ANOMALIES_KEY])
        accepted.set_int_custom_property(STATISTICS_ID, statistics.id)
        self._limits = json.loads(exec_properties[LIMITS])
        self._eval = _statistics(statistics, schema.EVAL)
        previous = input_dict.get(PREVIOUS)
        self._previous = _statistics(previous[0], schema.TRAIN) if previous else None
        self._found: list[tuple[str, anomalies_pb2.Anomalies, schema_pb2.Schema]] = []
        result = super().Do(input_dict, output_dict, exec_properties)
        if anomalies := self._explained(artifact_utils.get_single_instance(input_dict[standard.EXAMPLES_KEY])):
            raise BadPicturesError(
                "the data is not what it should be: " + " ".join(one.sentence for one in anomalies),
                [offender for one in anomalies for offender in one.offenders],
            )
        return result

    def _Validate(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> anomalies_pb2.Anomalies:
        """Judges the features that StatisticsGen looks at; to TFDV, the others would be missing from the data."""
        split = PurePosixPath(outputs[labels.SCHEMA_DIFF_PATH]).name.removeprefix("Split-")
        judged_by = _observed(inputs[standard.SCHEMA_KEY], self._limits)
        compared = {"serving_statistics": self._eval, "previous_statistics": self._previous}
        found = tfdv.validate_statistics(
            inputs[standard.STATISTICS_KEY], judged_by, **(compared if split == schema.TRAIN else {})
        )
        writer_utils.write_anomalies(f"{outputs[labels.SCHEMA_DIFF_PATH]}/{executor.DEFAULT_FILE_NAME}", found)
        if found.anomaly_info or found.HasField("dataset_anomaly_info"):
            self._found.append((split, found, judged_by))
        return found

    def _explained(self, artifact: types.Artifact) -> list[Anomaly]:
        anomalies = []
        for split, found, judged_by in self._found:
            compared = _compared(found, {SKEW: self._eval, DRIFT: self._previous})
            shards = stored.shards([artifact_utils.get_split_uri([artifact], split)])
            anomalies += explain(split, found, judged_by, compared, _decoded(shards))
        return anomalies


def _statistics(artifact: types.Artifact, split: str) -> Statistics:
    return stats_artifact_utils.load_statistics(artifact, split).proto()


def _observed(imported: schema_pb2.Schema, limits: Mapping[str, Mapping[str, float]]) -> schema_pb2.Schema:
    """The schema of the observed features, with the config's limits."""
    observed = schema_pb2.Schema()
    observed.CopyFrom(imported)
    for feature in list(observed.feature):
        if feature.name not in schema.SCALARS:
            observed.feature.remove(feature)
            continue
        for kind, comparator in ((SKEW, feature.skew_comparator), (DRIFT, feature.drift_comparator)):
            if (limit := limits[kind].get(feature.name)) is not None:
                comparator.jensen_shannon_divergence.threshold = limit
    return observed


def _compared(found: anomalies_pb2.Anomalies, others: Mapping[str, Statistics | None]) -> dict[str, list[Compared]]:
    """By feature, the distances above their threshold."""
    compared: dict[str, list[Compared]] = {}
    for info in found.drift_skew_info:
        name = info.path.step[0]
        for kind, measured in ((SKEW, info.skew_measurements), (DRIFT, info.drift_measurements)):
            for one in measured:
                if one.value > one.threshold and (other := others[kind]) is not None:
                    [numbers] = [
                        feature.num_stats for feature in other.datasets[0].features if feature.path.step[0] == name
                    ]
                    compared.setdefault(name, []).append(
                        Compared(kind, one.value, one.threshold, numbers.mean, numbers.std_dev)
                    )
    return compared


def _decoded(shards: list[str]) -> Iterator[dict[str, list[Any]]]:
    for shard in shards:
        yield from map(example.decode, stored.read(shard))


class _Spec(component_spec.ComponentSpec):
    PARAMETERS = {  # noqa: RUF012 (TFX's own form)
        **standard.ExampleValidatorSpec.PARAMETERS,
        LIMITS: component_spec.ExecutionParameter(type=str),
        "code_digest": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        **standard.ExampleValidatorSpec.INPUTS,
        standard.EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
        PREVIOUS: component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
    }
    OUTPUTS = standard.ExampleValidatorSpec.OUTPUTS


class BlockingExampleValidator(base_component.BaseComponent):
    """TFX's ExampleValidator, but its anomalies stop the run.

    Args of the constructor:
      statistics: of the Examples.
      schema: to hold them against.
      examples: to name the pictures that do not fit.
      limits: how far the distributions may lie apart.
      previous_statistics: of the last accepted run, or None where nobody asks for drift.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(BlockingExecutor)

    def __init__(
        self,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        examples: types.BaseChannel,
        limits: Validation,
        previous_statistics: types.BaseChannel | None = None,
    ) -> None:
        spec = _Spec(
            statistics=statistics,
            schema=schema,
            examples=examples,
            previous_statistics=previous_statistics,
            limits=json.dumps({SKEW: dict(limits.max_skew), DRIFT: dict(limits.max_drift)}, sort_keys=True),
            code_digest=code_digest(__name__),
            anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
        )
        super().__init__(spec=spec)
