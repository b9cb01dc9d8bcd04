"""ExampleValidator that stops the run: statistics and schema in, anomalies out, and no training on bad data."""

from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx import types
from tfx.components.example_validator import executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs

from segpipe.errors import DataError
from segpipe.pipeline.anomalies import sentences
from segpipe.pipeline.digest import code_digest
from segpipe.pipeline.statistics_gen import OBSERVED_FEATURES


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


class _Spec(standard_component_specs.ExampleValidatorSpec):
    PARAMETERS = {  # noqa: RUF012 (TFX's own form)
        **standard_component_specs.ExampleValidatorSpec.PARAMETERS,
        "code_digest": component_spec.ExecutionParameter(type=str),
    }


class BlockingExampleValidator(base_component.BaseComponent):
    """TFX's ExampleValidator, but its anomalies stop the run."""

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(BlockingExecutor)

    def __init__(self, statistics: types.BaseChannel, schema: types.BaseChannel) -> None:
        spec = _Spec(
            statistics=statistics,
            schema=schema,
            code_digest=code_digest(__name__),
            anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
        )
        super().__init__(spec=spec)
