"""ExampleValidator: checks statistics against the schema, and stops the run before anything is trained.

Beside the schema it holds train against eval (skew) and against the last accepted run's train (drift), as far as the
config's [validation], or a comparator in the schema, says how far they may lie apart.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeAlias

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx import types
from tfx.components.example_validator import executor, labels
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types import standard_component_specs as standard
from tfx.utils import writer_utils

from segpipe import schema
from segpipe.config.data import Validation
from segpipe.ingest import example
from segpipe.ingest import example_files as stored
from segpipe.ingest.bad_picture import BadPicturesError
from segpipe.pipeline.components import node
from segpipe.pipeline.components.anomalies import DRIFT, SKEW, Anomaly, Compared, explain

PREVIOUS = "previous_statistics"
STATISTICS_ID = "statistics_id"
"""Property of the anomalies: which statistics were accepted. `baseline.LatestOtherAcceptedStatistics` reads it."""

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList


class Parameters(node.Parameters):
    """What ExampleValidator depends on.

    Attributes:
      limits: how far the distributions may lie apart.
    """

    limits: Validation


class BlockingExecutor(
    node.Executor[Parameters],
    executor.Executor,
    interface=node.Interface(
        Parameters,
        inputs={
            standard.STATISTICS_KEY: standard_artifacts.ExampleStatistics,
            standard.SCHEMA_KEY: standard_artifacts.Schema,
            standard.EXAMPLES_KEY: standard_artifacts.Examples,
        },
        optional_inputs={PREVIOUS: standard_artifacts.ExampleStatistics},
        outputs={standard.ANOMALIES_KEY: standard_artifacts.ExampleAnomalies},
        code=__name__,
    ),
):
    """TFX's executor only writes the anomalies down; this one fails with them."""

    def run(self, artifacts: node.Artifacts, parameters: Parameters) -> execution_result_pb2.ExecutorOutput:
        """Validates every split.

        Raises:
          BadPicturesError: the statistics do not fit; one sentence for each anomaly, and the pictures that cause it.
        """
        statistics = artifacts.input(standard.STATISTICS_KEY)
        artifacts.output(standard.ANOMALIES_KEY).set_int_custom_property(STATISTICS_ID, statistics.id)
        self._limits = parameters.limits
        self._eval = _statistics(statistics, schema.EVAL)
        previous = artifacts.optional_input(PREVIOUS)
        self._previous = _statistics(previous, schema.TRAIN) if previous else None
        self._found: list[tuple[str, anomalies_pb2.Anomalies, schema_pb2.Schema]] = []
        result = executor.Executor.Do(self, artifacts.inputs, artifacts.outputs, {})
        if anomalies := self._explained(artifacts.input(standard.EXAMPLES_KEY)):
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


def _observed(imported: schema_pb2.Schema, limits: Validation) -> schema_pb2.Schema:
    """The schema of the observed features, with the config's limits."""
    observed = schema_pb2.Schema()
    observed.CopyFrom(imported)
    for feature in list(observed.feature):
        if feature.name not in schema.SCALARS:
            observed.feature.remove(feature)
            continue
        for limit_of, comparator in (
            (limits.max_skew, feature.skew_comparator),
            (limits.max_drift, feature.drift_comparator),
        ):
            if (limit := limit_of.get(feature.name)) is not None:
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


class BlockingExampleValidator(node.Node, executor=BlockingExecutor):
    """TFX's ExampleValidator, but its anomalies stop the run.

    Args of the constructor:
      statistics: of the Examples.
      schema: to hold them against.
      examples: to name the pictures that do not fit.
      limits: how far the distributions may lie apart.
      previous_statistics: of the last accepted run, or None where nobody asks for drift.
    """

    def __init__(
        self,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        examples: types.BaseChannel,
        limits: Validation,
        previous_statistics: types.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            Parameters(limits=limits),
            statistics=statistics,
            schema=schema,
            examples=examples,
            previous_statistics=previous_statistics,
        )
