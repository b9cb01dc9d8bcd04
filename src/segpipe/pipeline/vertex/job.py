"""Compiles a config to a Vertex AI pipeline job: JSON that names code, data and secrets but holds none."""

from typing import Any

import yaml
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from segpipe.config import Config
from segpipe.pipeline import graph
from segpipe.pipeline.vertex.staging import stage
from segpipe.pipeline.vertex.target import VertexTarget

STEP_COMMAND = ("python", "-m", "segpipe.pipeline.vertex.step")


def compile_job(config: Config, on_dataflow: bool, enable_cache: bool = True) -> dict[str, Any]:
    """Compiles the graph for Vertex AI Pipelines.

    Args:
      config: the run.
      on_dataflow: run the Beam steps on Dataflow.
      enable_cache: let Vertex AI reuse the steps whose image, arguments and inputs are the same.

    Returns:
      A PipelineJob as JSON: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.pipelineJobs

    Raises:
      ConfigError: the run cannot leave this machine.
      DataError: the source is missing.
    """
    staged = stage(config).config
    pipeline = graph.build(staged, VertexTarget(staged, on_dataflow), enable_cache=enable_cache)
    return runner(staged).run(pipeline, write_out=False)


def runner(staged: Config, output_filename: str | None = None) -> KubeflowV2DagRunner:
    """TFX's compiler, told the image and the current version of the pipeline format."""
    settings = KubeflowV2DagRunnerConfig(
        default_image=staged.vertex.image, default_commands=list(STEP_COMMAND), use_pipeline_spec_2_1=True
    )
    return KubeflowV2DagRunner(settings, output_filename=output_filename)


def compile_kubeflow(config: Config, on_dataflow: bool, enable_cache: bool = True) -> str:
    """Compiles the same graph for open-source Kubeflow Pipelines 2.

    Returns:
      The pipeline as YAML, as `kfp pipeline create` takes it.
    """
    staged = stage(config).config
    pipeline = graph.build(staged, VertexTarget(staged, on_dataflow), enable_cache=enable_cache)
    spec = runner(staged).run(pipeline, write_out=False)["pipelineSpec"]
    return yaml.safe_dump(spec, sort_keys=True)
