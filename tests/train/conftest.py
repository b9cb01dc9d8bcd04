import io
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from segpipe import train
from segpipe.config import Config
from segpipe.config.model import Model
from segpipe.model.architectures import ARCHITECTURES
from segpipe.model.network import Network
from segpipe.preprocess import pictures
from segpipe.train.fit import Trained

SIZE = 32


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def example(rng: np.random.Generator) -> tuple[bytes, bytes]:
    """A bright rectangle (class 1) on dark noise (class 0), with a border that does not count."""
    top, left = rng.integers(2, 12, 2)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[top : top + 16, left : left + 16] = 1
    image = rng.integers(0, 60, (SIZE, SIZE, 3), dtype=np.uint8)
    image[mask == 1] += 150
    mask[0] = 255
    return png(image), png(mask)


def write_records(path, count: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    with tf.io.TFRecordWriter(str(path), options="GZIP") as writer:
        for _ in range(count):
            image, mask = example(rng)
            features = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for name, value in {"image": image, "mask": mask, "id": b"x"}.items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return str(path)


def transform(features):
    return {
        "image": pictures.images_to_inputs(features["image"], SIZE),
        "mask": pictures.masks_to_targets(features["mask"], SIZE),
    }


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return [write_records(folder / "train.gz", 20, 0)], [write_records(folder / "eval.gz", 7, 1)]


def tiny_config(**train) -> Config:
    """The smallest run: 20 pictures of 32², batches of 8, two classes."""
    recipe = {"batch_size": 8, "epochs": 2, "warmup_epochs": 0, "learning_rate": 5e-3, "precision": "float32", **train}
    model = {"weights": "none", "width": 0.35, "decoder_filters": (16, 8, 8, 8)}
    data = {"classes": ("dark", "bright"), "image_size": SIZE}
    return Config(name="tiny", seed=3, data=data, model=model, train=recipe)


def small_config(**train) -> Config:
    """The same with `small_network`."""
    config = tiny_config(**train)
    return config.model_copy(update={"model": Model(architecture="small", weights="none")})


def small_network(model: Model, num_classes: int, image_size: int, directory: Path) -> Network:
    """A convolution with Keras' batch normalization and one without: all that is to be kept, shared or averaged."""
    inputs = keras.Input((image_size, image_size, 3))
    x = keras.layers.Conv2D(8, 3, 2, padding="same", use_bias=False)(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))
    logits = keras.layers.Conv2DTranspose(num_classes, 3, 2, padding="same", dtype="float32")(x)
    return Network(keras.Model(inputs, logits), encoder=keras.Model(inputs, x))


def knowing_small_network():
    """A context in which a config may name it."""
    return mock.patch.dict(ARCHITECTURES, small=small_network)


def fit(*arguments) -> Trained:
    """`train.fit`, which knows `small_network`: traced in a second, where the U-Net takes ten."""
    with knowing_small_network():
        return train.fit(*arguments)
