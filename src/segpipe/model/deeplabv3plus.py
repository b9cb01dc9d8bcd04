"""DeepLabV3+ of Keras Hub, on MobileNetV2 or, by preset, on ResNet-50.

Chen et al. 2018, https://arxiv.org/abs/1802.02611.
"""

from pathlib import Path

import keras

from segpipe.config.model import Model
from segpipe.model import presets
from segpipe.model.mobilenetv2 import LEVELS, mobilenetv2
from segpipe.model.network import Network, prepare_encoder, sublayers
from segpipe.model.weights import NONE, PRESET

PAPER_SIZE = 512
DILATION_RATES = (6, 12, 18)
_DEEPEST = "P4"


def deeplabv3plus(model: Model, num_classes: int, image_size: int, directory: Path) -> Network:
    """Builds the network.

    Args:
      model: `width` is MobileNetV2's alpha; `weights` = "preset:deeplab_v3_plus_resnet50_pascalvoc" takes ResNet-50.
      num_classes: K.
      image_size: S, a multiple of 32.
      directory: where a relative `model.weights` starts.

    Raises:
      ConfigError: the weights cannot be had or do not fit.
    """
    import keras_hub  # Two seconds that the other networks need not pay.

    shape = (image_size, image_size, 3)
    if model.weights.startswith(PRESET):
        backbone = presets.load(model, keras_hub.models.DeepLabV3Backbone, image_shape=shape)
        encoder = features = backbone
    else:
        encoder = mobilenetv2(model, image_size, directory)
        encoder.pyramid_outputs = {level: encoder.get_layer(name).output for level, name in LEVELS.items()}
        # What lies deeper is not used, so training does not reach it.
        features = keras.Model(encoder.input, encoder.pyramid_outputs[_DEEPEST])
        backbone = keras_hub.models.DeepLabV3Backbone(
            image_encoder=encoder,
            # Stride 16, as the paper does; its dilations are meant for features of a picture of 512 pixels.
            spatial_pyramid_pooling_key=_DEEPEST,
            low_level_feature_key="P2",
            upsampling_size=4,
            dilation_rates=[max(1, round(rate * image_size / PAPER_SIZE)) for rate in DILATION_RATES],
            image_shape=shape,
        )
    prepare_encoder(sublayers(backbone), pretrained=False)
    pretrained = model.weights != NONE
    prepare_encoder(sublayers(encoder), pretrained)
    segmenter = keras_hub.models.DeepLabV3ImageSegmenter(backbone, num_classes)
    inputs = keras.Input(shape)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(segmenter(inputs))
    learned = tuple(encoder.trainable_variables) if pretrained else ()
    model_of_logits = keras.Model(inputs, logits, name="deeplabv3plus")
    return Network(model_of_logits, learned, keras.Model(inputs, features(inputs), name="encoder"))
