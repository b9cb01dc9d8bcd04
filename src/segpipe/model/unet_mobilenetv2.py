"""A U-Net on MobileNetV2, the network of the TensorFlow segmentation tutorial, at a width of choice.

https://www.tensorflow.org/tutorials/images/segmentation, with the encoder of Sandler et al. 2018,
https://arxiv.org/abs/1801.04381.
"""

from pathlib import Path

import keras

from segpipe import config
from segpipe.errors import ConfigError
from segpipe.model import weights
from segpipe.model.network import Network, prepare_encoder
from segpipe.model.normalization import FusedBatchNormalization, with_fused_normalization

# The encoder's outputs at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture's side.
SKIPS = ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu")
BOTTOM = "block_16_project"


def unet_mobilenetv2(model: config.Model, num_classes: int, image_size: int, directory: Path) -> Network:
    """Builds the network.

    Args:
      model: `width` is MobileNetV2's alpha, `decoder_filters` go from the deepest level up.
      num_classes: K.
      image_size: S, a multiple of 32.
      directory: where a relative `model.weights` starts.

    Raises:
      ConfigError: the encoder's weights cannot be had or do not fit.
    """
    # Encoder
    encoder = with_fused_normalization(_encoder(model, image_size, directory))
    pretrained = model.weights != weights.NONE
    prepare_encoder(encoder.layers, pretrained)
    learned = tuple(encoder.trainable_variables) if pretrained else ()

    # Decoder
    x = encoder.get_layer(BOTTOM).output
    for level, (filters, skip) in enumerate(zip(model.decoder_filters, reversed(SKIPS), strict=True)):
        name = f"decoder_{level}"
        x = keras.layers.Conv2DTranspose(filters, 3, 2, padding="same", use_bias=False, name=f"{name}_up")(x)
        x = FusedBatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        x = keras.layers.ReLU(name=f"{name}_relu")(x)
        x = keras.layers.Concatenate(name=f"{name}_skip")([x, encoder.get_layer(skip).output])

    # Head: in float32 whatever the precision, so that the loss is too.
    logits = keras.layers.Conv2DTranspose(num_classes, 3, 2, padding="same", name="logits", dtype="float32")(x)
    return Network(keras.Model(encoder.input, logits, name="unet_mobilenetv2"), learned)


def _encoder(model: config.Model, image_size: int, directory: Path) -> keras.Model:
    """MobileNetV2 without its top, with the weights that `model.weights` names."""
    shape = (image_size, image_size, 3)
    if model.weights == weights.IMAGENET:
        try:
            return keras.applications.MobileNetV2(shape, alpha=model.width, include_top=False, weights="imagenet")
        except Exception as error:  # Keras raises a bare Exception when the download fails.
            raise ConfigError(
                f'model.weights = "imagenet": Keras cannot download MobileNetV2 ({error}); {weights.INSTEAD}'
            ) from error
    encoder = keras.applications.MobileNetV2(shape, alpha=model.width, include_top=False, weights=None)
    if model.weights != weights.NONE:
        path = weights.fetch(model.weights, directory)
        weights.load(encoder, path, f"MobileNetV2 of width {model.width:g} without its top")
    return encoder
