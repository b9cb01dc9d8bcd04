"""A SavedModel by segpipe's own export whose network just looks at colours, so that its masks are known beforehand."""

from pathlib import Path

import keras
import numpy as np

from segpipe.config import Config
from segpipe.preprocess import pictures
from segpipe.savedmodel.export import export
from tests import shapes

SIZE = 64


def network() -> keras.Model:
    """Red is a disk, blue a square, anything else ground: float32 [N, S, S, 3] → logits float32 [N, S, S, 3]."""
    inputs = keras.Input([SIZE, SIZE, 3])
    colour = keras.layers.Conv2D(3, 1)
    model = keras.Model(inputs, colour(inputs))
    kernel = 8.0 * np.array([[0, 1, -1], [0, 0, 0], [0, -1, 1]], np.float32).reshape(1, 1, 3, 3)
    colour.set_weights([kernel, np.array([6, 0, 0], np.float32)])
    return model


def write(folder: Path) -> Path:
    config = Config(name="shapes", data={"classes": shapes.CLASSES, "image_size": SIZE}, model={"weights": "none"})

    decoders = {"image": pictures.images_to_inputs, "mask": pictures.masks_to_targets}

    def transform(features: dict) -> dict:
        return {name: decoders[name](encoded, SIZE) for name, encoded in features.items()}

    export(network(), transform, config, str(folder))
    return folder
