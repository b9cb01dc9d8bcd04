"""Looks up an architecture by name and builds its network. A new one is a file beside this one and an entry here."""

from collections.abc import Callable
from pathlib import Path

from segpipe.config.model import Model
from segpipe.errors import ConfigError
from segpipe.model import weights
from segpipe.model.deeplabv3plus import deeplabv3plus
from segpipe.model.network import Network
from segpipe.model.segformer import segformer
from segpipe.model.unet_mobilenetv2 import unet_mobilenetv2

Architecture = Callable[[Model, int, int, Path], Network]

ARCHITECTURES: dict[str, Architecture] = {
    "unet_mobilenetv2": unet_mobilenetv2,
    "deeplabv3plus": deeplabv3plus,
    "segformer": segformer,
}


def build(model: Model, num_classes: int, image_size: int, directory: Path = Path()) -> Network:
    """Builds the network that `model.architecture` names.

    Args:
      model: the config's [model] section.
      num_classes: K, the number of logits per pixel.
      image_size: S, the side of the pictures in pixels; a multiple of 32.
      directory: where relative paths in `model` start.

    Raises:
      ConfigError: there is no such architecture, or its weights cannot be had.
    """
    return _named(model)(model, num_classes, image_size, directory)


def check(model: Model, directory: Path = Path()) -> None:
    """Checks, before a picture is read, what `build` would only find out when it is the Trainer's turn.

    Raises:
      ConfigError: there is no such architecture, the weights are a file that does not exist, or a URL without checksum.
    """
    _named(model)
    if weights.is_file_or_url(model.weights):
        weights.check(model.weights, directory)


def _named(model: Model) -> Architecture:
    if model.architecture not in ARCHITECTURES:
        raise ConfigError(f"no architecture {model.architecture!r}; there are {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[model.architecture]
