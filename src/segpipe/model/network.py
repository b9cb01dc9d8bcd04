"""What every architecture returns: the model, and which of its variables start from learned weights."""

from collections.abc import Iterable
from dataclasses import dataclass

import keras


@dataclass(frozen=True)
class Network:
    """A segmentation network before training.

    Attributes:
      model: float32 [N, S, S, 3] in [-1, 1] → logits float32 [N, S, S, K].
      pretrained: the trainable variables that start from learned weights; they can be frozen at first and follow at a
        lower rate. Empty for a random start.
      encoder: the part of `model` before its decoder, from the same input to features float [N, h, w, D]; what it
        makes of pictures tells a new kind of them apart. None for a network without one.
    """

    model: keras.Model
    pretrained: tuple[keras.Variable, ...] = ()
    encoder: keras.Model | None = None


def sublayers(layer: keras.Layer) -> list[keras.Layer]:
    """Every layer inside a layer, however deep."""
    return list(layer._flatten_layers(include_self=False))


def prepare_encoder(layers: Iterable[keras.Layer], pretrained: bool) -> None:
    """Makes batch normalization fit for training on a small data set.

    Learned statistics stay as they are: batches of a small data set would only blur them. A random start learns its
    own, faster than the momentum of 0.999 allows that suits ImageNet's million steps.
    """
    for layer in layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            if pretrained:
                layer.trainable = False
            else:
                layer.momentum = 0.9
