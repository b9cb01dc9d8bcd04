"""A U-Net on MobileNetV2, the network of the TensorFlow segmentation tutorial, at a width of choice.

https://www.tensorflow.org/tutorials/images/segmentation
"""

from pathlib import Path

import keras

from segpipe.config.model import Model
from segpipe.model.mobilenetv2 import LEVELS, mobilenetv2
from segpipe.model.network import Network, prepare_encoder
from segpipe.model.normalization import FusedBatchNormalization
from segpipe.model.upsampling import JoiningConv2DTranspose
from segpipe.model.weights import NONE


def unet_mobilenetv2(model: Model, num_classes: int, image_size: int, directory: Path) -> Network:
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
    encoder = mobilenetv2(model, image_size, directory)
    pretrained = model.weights != NONE
    prepare_encoder(encoder.layers, pretrained)
    *skips, bottom = (encoder.get_layer(name).output for name in LEVELS.values())

    # Decoder: each step up joins what is there with the skip connection of its size.
    features = [bottom]
    for level, (filters, skip) in enumerate(zip(model.decoder_filters, reversed(skips), strict=True)):
        name = f"decoder_{level}"
        x = JoiningConv2DTranspose(filters, use_bias=False, name=f"{name}_up")(features)
        x = FusedBatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        features = [keras.layers.ReLU(name=f"{name}_relu")(x), skip]

    # Head: logits are float32 whatever the precision, so that the loss is too.
    x = JoiningConv2DTranspose(num_classes, name="head")(features)
    logits = keras.layers.Activation("linear", name="logits", dtype="float32")(x)
    learned = tuple(encoder.trainable_variables) if pretrained else ()
    model_of_logits = keras.Model(encoder.input, logits, name="unet_mobilenetv2")
    return Network(model_of_logits, learned, keras.Model(encoder.input, bottom, name="encoder"))
