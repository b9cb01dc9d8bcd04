"""Where the graph runs: one value that says which components, roots and Beam runner a place needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tfx import types
from tfx.components.pusher.component import Pusher
from tfx.components.trainer.component import Trainer
from tfx.dsl.components.base import base_node, executor_spec
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from typing_extensions import override

from segpipe.config import Config
from segpipe.pipeline.components.hf_pusher import hf_pusher
from segpipe.pipeline.components.pusher import AtomicPusher
from segpipe.pipeline.components.resolvers import LatestOtherAcceptedStatistics, LatestOtherBlessedModel

BASELINE_NODE_ID = "latest_blessed_model_resolver"
PREVIOUS_NODE_ID = "latest_accepted_statistics_resolver"

IN_PROCESS_BEAM = (
    # Named, since Beam's DirectRunner first tries to download another runner: one online, another offline.
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    # Nothing runs in a container here, but without this TFX packs itself into an sdist for every Beam component, for
    # workers elsewhere: a second each, and a folder left in /tmp.
    "--sdk_container_image=in-process",
)


class Target(Protocol):
    """A place to run. The graph asks it for everything that differs between places, and for nothing else."""

    @property
    def pipeline_root(self) -> str:
        """Folder or URL under which the components write their outputs."""

    @property
    def work_dir(self) -> str:
        """Folder or URL that outlives a killed component: checkpoints go here."""

    @property
    def beam_pipeline_args(self) -> list[str]:
        """Beam's arguments for every component that runs on Beam."""

    @property
    def metadata_connection(self) -> Any | None:
        """ML Metadata's connection config, or None where the place brings its own store."""

    def trainer(self, **arguments: Any) -> base_node.BaseNode:
        """The Trainer, given the arguments of TFX's own."""

    def baseline(self, candidate: types.BaseChannel) -> base_node.BaseNode:
        """The Resolver of the model that `candidate` has to beat; output `model`."""

    def previous_statistics(self, candidate: types.BaseChannel) -> base_node.BaseNode:
        """The Resolver of the statistics that `candidate` may not drift from; output `statistics`."""

    def pusher(self, **arguments: Any) -> base_node.BaseNode:
        """The Pusher, given the arguments of TFX's own less the destination."""

    def hub_pusher(self, config: Config, **channels: types.BaseChannel) -> base_node.BaseNode | None:
        """The HFPusher of the config's section [hub], given the channels of `hf_pusher`, or None."""


@dataclass(frozen=True)
class LocalTarget(Target):
    """This machine: everything in one process, sqlite ML Metadata, a versioned serving folder.

    Attributes:
      run_dir: the run's folder, as in runs/demo.
    """

    run_dir: Path

    @property
    @override
    def pipeline_root(self) -> str:
        return str(self.run_dir / "pipeline")

    @property
    @override
    def work_dir(self) -> str:
        return str(self.run_dir / "checkpoints")

    @property
    def serving_dir(self) -> Path:
        """The folder that a model server watches."""
        return self.run_dir / "serving"

    @property
    def metadata_path(self) -> Path:
        """The sqlite file of ML Metadata."""
        return self.run_dir / "metadata.db"

    @property
    @override
    def beam_pipeline_args(self) -> list[str]:
        return list(IN_PROCESS_BEAM)

    @property
    @override
    def metadata_connection(self) -> Any:
        return metadata.sqlite_metadata_connection_config(str(self.metadata_path))

    @override
    def trainer(self, **arguments: Any) -> base_node.BaseNode:
        return Trainer(**arguments)

    @override
    def baseline(self, candidate: types.BaseChannel) -> base_node.BaseNode:
        return Resolver(
            strategy_class=LatestOtherBlessedModel,
            candidate=candidate,
            model=types.Channel(type=standard_artifacts.Model),
            model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
        ).with_id(BASELINE_NODE_ID)

    @override
    def previous_statistics(self, candidate: types.BaseChannel) -> base_node.BaseNode:
        return Resolver(
            strategy_class=LatestOtherAcceptedStatistics,
            candidate=candidate,
            statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
            anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
        ).with_id(PREVIOUS_NODE_ID)

    @override
    def pusher(self, **arguments: Any) -> base_node.BaseNode:
        return Pusher(
            **arguments,
            push_destination=pusher_pb2.PushDestination(
                filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(self.serving_dir))
            ),
            custom_executor_spec=executor_spec.ExecutorClassSpec(AtomicPusher),
        )

    @override
    def hub_pusher(self, config: Config, **channels: types.BaseChannel) -> base_node.BaseNode | None:
        return hf_pusher(config, **channels)
