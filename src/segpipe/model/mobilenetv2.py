"""Builds a MobileNetV2 encoder of any width, with random or learned weights.

Sandler et al. 2018, https://arxiv.org/abs/1801.04381.
"""

from functools import partial
from pathlib import Path

import keras

from segpipe.config.model import Model
from segpipe.errors import ConfigError
from segpipe.model import weights
from segpipe.model.normalization import fuse_normalization

LEVELS = {
    "P1": "block_1_expand_relu",
    "P2": "block_3_expand_relu",
    "P3": "block_6_expand_relu",
    "P4": "block_13_expand_relu",
    "P5": "block_16_project",
}
"""The layer whose output is the last at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture's side."""


def mobilenetv2(model: Model, image_size: int, directory: Path) -> keras.Model:
    """Builds the encoder, without its top, with the weights that `model.weights` names.

    Raises:
      ConfigError: the weights cannot be had or do not fit.
    """
    return fuse_normalization(_keras_own(model, image_size, directory))


def _keras_own(model: Model, image_size: int, directory: Path) -> keras.Model:
    build = partial(keras.applications.MobileNetV2, (image_size, image_size, 3), alpha=model.width, include_top=False)
    if model.weights == weights.IMAGENET:
        try:
            return build(weights="imagenet")
        except Exception as error:  # Keras raises a bare Exception when the download fails.
            raise ConfigError(
                f'model.weights = "imagenet": Keras cannot download MobileNetV2 ({error}); {weights.INSTEAD}'
            ) from error
    encoder = build(weights=None)
    if model.weights != weights.NONE:
        path = weights.fetch(model.weights, directory)
        weights.load(encoder, path, f"MobileNetV2 of width {model.width:g} without its top")
    return encoder
