"""A SavedModel whose answer is plain from the picture: each pixel's class is its strongest colour channel."""

import io
import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from segpipe.metrics.picture_counts import evaluation_outputs
from segpipe.preprocess import pictures

SIZE = 32
CLASSES = ("red", "green", "blue")


def save(folder: Path, version: int, channel_order: tuple[int, int, int] = (0, 1, 2)) -> Path:
    """Writes version `version`; another `channel_order` gives another answer to the same picture."""

    class Strongest(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def serving_default(self, image_bytes):
            images = tf.gather(pictures.images_to_inputs(image_bytes, SIZE), channel_order, axis=-1)
            mask = tf.argmax(images, axis=-1)
            return {
                "mask": tf.cast(mask, tf.uint8),
                "class_fraction": tf.reduce_mean(tf.one_hot(mask, len(CLASSES)), axis=[1, 2]),
                "confidence": tf.reduce_mean(tf.reduce_max(tf.nn.softmax(images), axis=-1), axis=[1, 2]),
            }

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def from_examples(self, examples):
            stored = tf.io.parse_example(
                examples, {name: tf.io.FixedLenFeature([], tf.string) for name in ("image", "mask")}
            )
            images = tf.gather(pictures.images_to_inputs(stored["image"], SIZE), channel_order, axis=-1)
            return evaluation_outputs(pictures.masks_to_targets(stored["mask"], SIZE), images)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def embeddings(self, image_bytes):
            cells = tf.nn.avg_pool2d(pictures.images_to_inputs(image_bytes, SIZE), SIZE // 4, SIZE // 4, "VALID")
            return {"embedding": tf.reshape(cells, [-1, 4 * 4 * 3])}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="texts")])
        def length(self, texts):
            return {"length": tf.strings.length(texts)}

    module = Strongest()
    path = folder / str(version)
    aside = folder / f".{version}.partial"
    tf.saved_model.save(
        module,
        str(aside),
        signatures={
            name: getattr(module, name) for name in ("serving_default", "from_examples", "embeddings", "length")
        },
    )
    card = aside / "assets.extra" / "segpipe.json"
    card.parent.mkdir()
    card.write_text(
        json.dumps({"classes": CLASSES, "palette": [[255, 0, 0], [0, 255, 0], [0, 0, 255]], "image_size": SIZE})
    )
    return aside.rename(path)


def picture(
    color: tuple[int, int, int], size: tuple[int, int] = (48, 40), kind: str = "PNG", **options: object
) -> bytes:
    """An encoded picture of one colour; `size` is width, height."""
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, kind, **options)
    return stream.getvalue()


def halves(left: tuple[int, int, int], right: tuple[int, int, int], kind: str = "PNG", **options: object) -> bytes:
    """An encoded picture, 64 × 32, of two colours side by side."""
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, :32], pixels[:, 32:] = left, right
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
