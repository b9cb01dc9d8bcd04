"""ExampleValidator that stops the run: statistics and schema in, anomalies out, and no training on bad data."""

from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx import types
from tfx.components.example_validator import executor
from tfx.components.example_validator.component import ExampleValidator
from tfx.dsl.components.base import executor_spec
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils, standard_component_specs

from segpipe.errors import DataError
from segpipe.pipeline.anomalies import sentences
from segpipe.pipeline.statistics import OBSERVED_FEATURES


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
          DataError: the statistics do not fit the schema; one sentence for each anomaly.
        """
        result = super().Do(input_dict, output_dict, exec_properties)
        anomalies = artifact_utils.get_single_instance(output_dict[standard_component_specs.ANOMALIES_KEY])
        if found := sentences(anomalies.uri):
            raise DataError("the data does not fit the schema: " + " ".join(found))
        return result

    def _Validate(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> anomalies_pb2.Anomalies:
        """Judges the features that StatisticsGen looks at; to TFDV, the others would be missing from the data."""
        observed = schema_pb2.Schema()
        observed.CopyFrom(inputs[standard_component_specs.SCHEMA_KEY])
        for feature in list(observed.feature):
            if feature.name not in OBSERVED_FEATURES:
                observed.feature.remove(feature)
        return super()._Validate({**inputs, standard_component_specs.SCHEMA_KEY: observed}, outputs)


class BlockingExampleValidator(ExampleValidator):
    """ExampleValidator whose anomalies stop the run."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(BlockingExecutor)
