"""ImportSchemaGen: a schema file in, a Schema artifact out; the published schema is said anew of our Examples."""

import hashlib
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tfx import types
from tfx.components.schema_gen.executor import DEFAULT_FILE_NAME
from tfx.components.schema_gen.import_schema_gen import executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.types import standard_component_specs as standard

from segpipe.ingest import feature_schema
from segpipe.io import files
from segpipe.pipeline.local.provenance import SCHEMA_DIGEST


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


class _Spec(component_spec.ComponentSpec):
    PARAMETERS = {  # noqa: RUF012 (TFX's own form)
        standard.SCHEMA_FILE_KEY: component_spec.ExecutionParameter(type=str),
        SCHEMA_DIGEST: component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS: dict[str, Any] = {}  # noqa: RUF012
    OUTPUTS = {  # noqa: RUF012
        standard.SCHEMA_KEY: component_spec.ChannelParameter(type=standard_artifacts.Schema)
    }


class ImportSchemaGen(base_component.BaseComponent):
    """TFX's ImportSchemaGen, for either schema, and run again when the file was edited."""

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, schema_file: str):
        """Imports a schema.

        Args:
          schema_file: path or URL. TFX's cache compares this name alone, so the digest of a file goes along; what is
            uploaded for Vertex AI has the digest in its name.
        """
        path = Path(schema_file)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else None
        super().__init__(
            spec=_Spec(
                schema_file=schema_file,
                schema_digest=digest,
                schema=types.Channel(type=standard_artifacts.Schema),
            )
        )
