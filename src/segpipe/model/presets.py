"""Loads the backbone of a Keras Hub preset, once its licence is accepted."""

from typing import Any

from segpipe.config.model import Model
from segpipe.errors import ConfigError
from segpipe.model import weights

NVIDIA = "nvidia-source-code-license"
"""https://github.com/NVlabs/SegFormer/blob/master/LICENSE: research and evaluation only, no commercial use."""


APACHE = "apache-2.0"
_OF_KERAS = (weights.IMAGENET, f"{weights.PRESET}deeplab_v3_plus_resnet50_pascalvoc")


def licence(started_from: str) -> str:
    """The licence of the weights that `model.weights` names; empty where nobody here can know it."""
    if started_from.startswith((f"{weights.PRESET}mit_", f"{weights.PRESET}segformer_")):
        return NVIDIA
    return APACHE if started_from in _OF_KERAS else ""


def load(model: Model, backbone: Any, **settings: Any) -> Any:
    """Loads the preset that `model.weights` names after "preset:".

    Args:
      model: `accept_licence` must name the preset's licence if that restricts use.
      backbone: the Keras Hub class, such as keras_hub.models.MiTBackbone.
      **settings: what to change in the preset, such as image_shape.

    Raises:
      ConfigError: the licence is not accepted, or there is no such preset here or for download.
    """
    name = model.weights.removeprefix(weights.PRESET)
    if licence(model.weights) == NVIDIA != model.accept_licence:
        raise ConfigError(
            f"the weights {name} are NVIDIA's and for non-commercial use only; if that is yours, set "
            f'model.accept_licence = "{NVIDIA}".'
        )
    try:
        return backbone.from_preset(name, **settings)
    except Exception as error:  # Keras Hub raises what its download clients raise.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(f"model.weights: cannot load the preset {name} ({reason}); {weights.INSTEAD}") from error
