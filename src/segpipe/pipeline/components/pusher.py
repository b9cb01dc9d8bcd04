"""The Pusher's executor on a filesystem: writes a blessed model to `serving/<version>/`, whole or not at all."""

import shutil
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.pusher import executor
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from segpipe.io.atomic import copy_tree


class AtomicPusher(executor.Executor):
    """TFX's Pusher, written aside then renamed, under a version that a second try arrives at again.

    The stock executor copies file by file into the folder that a model server watches, under the time of the copy: a
    killed push leaves half a model, and the next one adds a second version of the same model.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if it is blessed; marks the PushedModel artifact either way."""
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
        version = str(_blessed_at_s(input_dict))
        target = Path(destination.filesystem.base_directory) / version
        copy_tree(Path(self.GetModelPath(input_dict)), target)
        Path(pushed.uri).mkdir(parents=True, exist_ok=True)
        self._MarkPushed(pushed, pushed_destination=str(target), pushed_version=version)


def _blessed_at_s(input_dict: dict[str, list[types.Artifact]]) -> int:
    """Unix time in seconds of the blessing (of the model, where no blessing is asked for)."""
    deciding = input_dict.get(standard_component_specs.MODEL_BLESSING_KEY) or input_dict["model"]
    return artifact_utils.get_single_instance(deciding).mlmd_artifact.create_time_since_epoch // 1000


def remove_half_written(serving_dir: Path) -> None:
    """Deletes what a killed push left aside."""
    for leftover in serving_dir.glob(".*.partial"):
        shutil.rmtree(leftover, ignore_errors=True)
