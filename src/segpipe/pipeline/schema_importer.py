"""ImportSchemaGen: a schema file in, a Schema artifact out; the published schema is said anew of our Examples."""

from typing import Any

from google.protobuf import text_format
from tfx import types
from tfx.components.schema_gen.executor import DEFAULT_FILE_NAME
from tfx.components.schema_gen.import_schema_gen import component, executor
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as standard

from segpipe.ingest import feature_schema, files


class Executor(executor.Executor):
    """TFX's executor copies the file; this one replaces a published schema by its translation."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Imports the file.

        Raises:
          DataError: it is no schema.
        """
        super().Do(input_dict, output_dict, exec_properties)
        path = files.join(artifact_utils.get_single_uri(output_dict[standard.SCHEMA_KEY]), DEFAULT_FILE_NAME)
        imported = feature_schema.read(path)
        if feature_schema.is_published(imported):
            with files.open_to_write(path) as stream:
                stream.write(text_format.MessageToString(feature_schema.of_published(imported)).encode())


class ImportSchemaGen(component.ImportSchemaGen):
    """TFX's ImportSchemaGen, for either schema."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
