"""Google Cloud as a place to run: the steps in containers of Vertex AI Pipelines, Beam here or on Dataflow."""

from dataclasses import dataclass
from typing import Any

from tfx import types
from tfx.components.pusher.component import Pusher
from tfx.dsl.components.base import base_node, executor_spec
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import LatestArtifactStrategy
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.extensions.google_cloud_ai_platform import constants
from tfx.extensions.google_cloud_ai_platform.trainer.component import Trainer
from tfx.extensions.google_cloud_ai_platform.trainer.executor import TRAINING_ARGS_KEY
from tfx.types import standard_artifacts
from typing_extensions import override

from segpipe.config import Config
from segpipe.config.vertex import Machine, Training
from segpipe.pipeline.components.hf_pusher import hf_pusher
from segpipe.pipeline.targets import BASELINE_NODE_ID, IN_PROCESS_BEAM, PREVIOUS_NODE_ID, Target
from segpipe.pipeline.vertex import dataflow
from segpipe.pipeline.vertex.pusher import PushSettings, RegistryPusher
from segpipe.pipeline.vertex.staging import root

_S_PER_HOUR = 3600


@dataclass(frozen=True)
class VertexTarget(Target):
    """Vertex AI Pipelines: managed ML Metadata, Vertex Training, the Model Registry and an endpoint.

    Attributes:
      config: a staged one (`vertex_staging.stage`).
      on_dataflow: run the Beam steps on Dataflow instead of in their own containers.
    """

    config: Config
    on_dataflow: bool = False

    @property
    @override
    def pipeline_root(self) -> str:
        return f"{root(self.config)}/pipeline"

    @property
    @override
    def work_dir(self) -> str:
        # Vertex Training mounts every bucket under /gcs, so that checkpoints are plain files:
        # https://cloud.google.com/vertex-ai/docs/training/cloud-storage-file-system
        return f"{root(self.config).replace('gs://', '/gcs/', 1)}/checkpoints"

    @property
    @override
    def beam_pipeline_args(self) -> list[str]:
        if not self.on_dataflow:
            return list(IN_PROCESS_BEAM)
        return dataflow.beam_arguments(self.config.dataflow, self.config.vertex, self.config.name)

    @property
    @override
    def metadata_connection(self) -> None:
        return None

    @override
    def trainer(self, **arguments: Any) -> base_node.BaseNode:
        custom_config = {
            **arguments.pop("custom_config"),
            constants.ENABLE_VERTEX_KEY: True,
            constants.VERTEX_REGION_KEY: self.config.vertex.region,
            TRAINING_ARGS_KEY: self._training_job(),
        }
        return Trainer(**arguments, custom_config=custom_config)

    @override
    def baseline(self, candidate: types.BaseChannel) -> base_node.BaseNode:
        # Vertex resolves the baseline in its own metadata store, before the candidate is there.
        del candidate
        return Resolver(
            strategy_class=LatestBlessedModelStrategy,
            model=types.Channel(type=standard_artifacts.Model),
            model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
        ).with_id(BASELINE_NODE_ID)

    @override
    def previous_statistics(self, candidate: types.BaseChannel) -> base_node.BaseNode:
        # Vertex knows this strategy and LatestBlessedModelStrategy alone; it may return data that was refused.
        del candidate
        return Resolver(
            strategy_class=LatestArtifactStrategy,
            statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
        ).with_id(PREVIOUS_NODE_ID)

    @override
    def pusher(self, **arguments: Any) -> base_node.BaseNode:
        vertex = self.config.vertex
        settings = PushSettings(
            name=self.config.name,
            project=vertex.project,
            region=vertex.region,
            service_account=vertex.service_account,
            image_size=self.config.data.image_size,
            num_classes=self.config.num_classes,
            endpoint=vertex.endpoint,
        )
        return Pusher(
            **arguments,
            custom_config=settings.model_dump(mode="json"),
            custom_executor_spec=executor_spec.ExecutorClassSpec(RegistryPusher),
        )

    @override
    def hub_pusher(self, config: Config, **channels: types.BaseChannel) -> base_node.BaseNode | None:
        # A folder in a container that ends shows nobody anything.
        return hf_pusher(config, **channels) if config.hub.kind == "huggingface" else None

    def _training_job(self) -> dict[str, Any]:
        """https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs"""
        vertex = self.config.vertex
        training = vertex.training
        job: dict[str, Any] = {
            "worker_pool_specs": _worker_pools(
                training, vertex.gpu_image if training.accelerator_type else vertex.image
            ),
            "scheduling": {"timeout": {"seconds": round(training.timeout_hours * _S_PER_HOUR)}},
        }
        if training.spot:
            job["scheduling"]["strategy"] = "SPOT"
        if vertex.service_account:
            job["service_account"] = vertex.service_account
        return {
            "project": vertex.project,
            "display_name": f"{self.config.name}-trainer",
            "labels": {"segpipe-run": self.config.name},
            "job_spec": job,
        }


def machine_spec(machine: Machine) -> dict[str, Any]:
    """A machine in the words of Vertex AI's MachineSpec."""
    if not machine.accelerator_type:
        return {"machine_type": machine.machine_type}
    return {
        "machine_type": machine.machine_type,
        "accelerator_type": machine.accelerator_type,
        "accelerator_count": machine.accelerator_count,
    }


def _worker_pools(training: Training, image: str) -> list[dict[str, Any]]:
    """One chief, and the other replicas as a pool of workers: Vertex AI writes TF_CONFIG from the pools.

    https://cloud.google.com/vertex-ai/docs/training/distributed-training#cluster-spec
    """
    pools = [1] if training.replicas == 1 else [1, training.replicas - 1]
    return [
        {"machine_spec": machine_spec(training), "replica_count": count, "container_spec": {"image_uri": image}}
        for count in pools
    ]
