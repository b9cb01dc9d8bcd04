"""SegFormer of Keras Hub, sizes B0 to B5.

Xie et al. 2021, https://arxiv.org/abs/2105.15203, table 6.
"""

from pathlib import Path

import keras

from segpipe.config.model import Model
from segpipe.errors import ConfigError
from segpipe.model import presets, weights
from segpipe.model.network import Network, prepare_encoder, sublayers

SIZES = {
    "b0": ((32, 64, 160, 256), (2, 2, 2, 2), 256),
    "b1": ((64, 128, 320, 512), (2, 2, 2, 2), 256),
    "b2": ((64, 128, 320, 512), (3, 4, 6, 3), 768),
    "b3": ((64, 128, 320, 512), (3, 4, 18, 3), 768),
    "b4": ((64, 128, 320, 512), (3, 8, 27, 3), 768),
    "b5": ((64, 128, 320, 512), (3, 6, 40, 3), 768),
}
"""By name: channels per stage, layers per stage, channels of the decoder."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def segformer(model: Model, num_classes: int, image_size: int, directory: Path) -> Network:
    """Builds the network.

    Args:
      model: `size` names B0…B5; `weights` are "none", "preset:mit_b0_ade20k_512" or another, or a file of the encoder.
      num_classes: K.
      image_size: S, a multiple of 32.
      directory: where a relative `model.weights` starts.

    Raises:
      ConfigError: the weights cannot be had or do not fit, or their licence is not accepted.
    """
    import keras_hub  # Two seconds that the other networks need not pay.

    # Encoder
    # Keras Hub's cannot work on a last stage of 1×1: the smallest pictures are seen at twice their size.
    zoom = 2 if image_size == 32 else 1
    shape = (zoom * image_size, zoom * image_size, 3)
    pretrained = model.weights != weights.NONE
    if model.weights == weights.IMAGENET:
        raise ConfigError(
            'segformer: Keras has no "imagenet" weights for it; set model.weights to "none", a file, or '
            f'"{weights.PRESET}mit_{model.size}_ade20k_512" (NVIDIA\'s, non-commercial use only).'
        )
    if model.weights.startswith(weights.PRESET):
        encoder = presets.load(model, keras_hub.models.MiTBackbone, image_shape=shape)
    else:
        encoder = _encoder(model.size, shape)
        if pretrained:
            weights.load(encoder, weights.fetch(model.weights, directory), f"SegFormer's encoder {model.size}")

    # Decoder and head
    backbone = keras_hub.models.SegFormerBackbone(encoder, projection_filters=SIZES[model.size][2])
    prepare_encoder(sublayers(backbone), pretrained=False)
    segmenter = keras_hub.models.SegFormerImageSegmenter(backbone, num_classes)
    inputs = keras.Input((image_size, image_size, 3))
    # From [-1, 1] to the mean and deviation that the presets were trained with.
    normalized = keras.layers.Rescaling(
        [0.5 / std for std in IMAGENET_STD],
        [(0.5 - mean) / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)],
    )(inputs)
    zoomed = keras.layers.UpSampling2D(zoom, interpolation="bilinear")(normalized)
    logits = keras.layers.AveragePooling2D(zoom, dtype="float32", name="logits")(segmenter(zoomed))
    learned = tuple(encoder.trainable_variables) if pretrained else ()
    features = keras.Model(inputs, encoder(zoomed), name="encoder")
    return Network(keras.Model(inputs, logits, name="segformer"), learned, features)


def _encoder(size: str, shape: tuple[int, int, int]) -> keras.Model:
    import keras_hub

    channels, layers, _ = SIZES[size]
    return keras_hub.models.MiTBackbone(
        image_shape=shape,
        hidden_dims=list(channels),
        layerwise_depths=list(layers),
        num_layers=4,
        layerwise_num_heads=[1, 2, 5, 8],
        layerwise_sr_ratios=[8, 4, 2, 1],
        layerwise_patch_sizes=[7, 3, 3, 3],
        layerwise_strides=[4, 2, 2, 2],
        max_drop_path_rate=0.1,
    )
