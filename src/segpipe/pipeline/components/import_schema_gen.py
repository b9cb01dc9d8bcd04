"""ImportSchemaGen: imports a schema file, and adapts the published pipeline's schema to our Examples."""

import hashlib
from pathlib import Path

from google.protobuf import text_format
from tfx.components.schema_gen.executor import DEFAULT_FILE_NAME
from tfx.components.schema_gen.import_schema_gen import executor
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs as standard

from segpipe.ingest import feature_schema
from segpipe.io import files
from segpipe.pipeline.components import node


class Parameters(node.Parameters):
    """What ImportSchemaGen depends on.

    Attributes:
      schema_file: path or URL.
      schema_digest: of the file, if it is on this machine; `local.provenance.SCHEMA_DIGEST` names this parameter.
    """

    schema_file: str
    schema_digest: str | None = None


class Executor(
    node.Executor[Parameters],
    executor.Executor,
    interface=node.Interface(Parameters, outputs={standard.SCHEMA_KEY: standard_artifacts.Schema}),
):
    """TFX's executor copies the file; this one replaces a published schema by its translation."""

    def run(self, artifacts: node.Artifacts, parameters: Parameters) -> None:
        """Imports the file.

        Raises:
          DataError: it is no schema.
        """
        executor.Executor.Do(self, artifacts.inputs, artifacts.outputs, node.to_execution(parameters))
        path = files.join(artifacts.output(standard.SCHEMA_KEY).uri, DEFAULT_FILE_NAME)
        imported = feature_schema.read(path)
        if feature_schema.is_published(imported):
            with files.open_to_write(path) as stream:
                stream.write(text_format.MessageToString(feature_schema.of_published(imported)).encode())


class ImportSchemaGen(node.Node, executor=Executor):
    """TFX's ImportSchemaGen, for either schema, and run again when the file was edited."""

    def __init__(self, schema_file: str):
        """Imports a schema.

        Args:
          schema_file: path or URL. TFX's cache compares this name alone, so the digest of a file goes along; what is
            uploaded for Vertex AI has the digest in its name.
        """
        path = Path(schema_file)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else None
        super().__init__(Parameters(schema_file=schema_file, schema_digest=digest))
