"""The Pusher's executor on Google Cloud: registers a blessed model, checks it and promotes it."""

import json
from typing import Any

from tfx import types
from tfx.components.pusher import executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils

from segpipe.config.vertex import Endpoint, Vertex
from segpipe.pipeline.components import node
from segpipe.pipeline.vertex.endpoint import ModelEndpoint
from segpipe.pipeline.vertex.errors import in_a_sentence


class PushSettings(node.Parameters):
    """Where a model is pushed to; the custom_config of TFX's Pusher.

    Attributes:
      name: of the run.
      project, region, service_account: of Google Cloud.
      image_size: side in pixels of the square that the model sees.
      num_classes: K, the number of classes.
      endpoint: how the new model takes over.
    """

    name: str
    project: str
    region: str
    service_account: str
    image_size: int
    num_classes: int
    endpoint: Endpoint


class RegistryPusher(executor.Executor):
    """TFX's Pusher, to the Model Registry and an endpoint that never keeps an old model running.

    TFX's own for Vertex AI makes a model of its own for every push, gives it all requests at once and leaves the old
    ones deployed, and billed.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if it is blessed; marks the PushedModel artifact either way.

        Raises:
          UserError: Google refused something; the sentence says what to do.
          RunError: the model did not answer well behind the endpoint, and was rolled back.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        settings = PushSettings(**json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY]))
        vertex = Vertex(project=settings.project, region=settings.region, endpoint=settings.endpoint)
        endpoint = ModelEndpoint(
            settings.name, vertex.project, vertex.region, vertex.endpoint, service_account=settings.service_account
        )
        model_uri = self.GetModelPath(input_dict)
        io_utils.copy_dir(model_uri, pushed.uri)
        with in_a_sentence("pushing the model", vertex):
            version = endpoint.push(model_uri, settings.image_size, settings.num_classes)
        self._MarkPushed(pushed, pushed_destination=version, pushed_version=version.rsplit("@", 1)[-1])
