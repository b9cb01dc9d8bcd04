"""A SavedModel with segpipe's signatures whose prediction is stored in the Examples, to judge the judging."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from segpipe.ingest import example
from segpipe.metrics.picture_counts import evaluation_outputs

CLASSES = ("sea", "land", "lake")
SIZE = 32
GREY = 100
"""The stored picture is the guess, times this."""


def _decode(encoded):
    return tf.map_fn(
        lambda one: tf.ensure_shape(tf.io.decode_png(one, channels=1)[..., 0], [SIZE, SIZE]),
        encoded,
        fn_output_signature=tf.TensorSpec([SIZE, SIZE], tf.uint8),
    )


class _Segmenter(tf.Module):
    def __init__(self, predict: Callable[[tf.Tensor], tf.Tensor]):
        super().__init__()
        self._predict = predict

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def from_examples(self, examples):
        feature = tf.io.FixedLenFeature([], tf.string)
        stored = tf.io.parse_example(examples, {"mask": feature, "image": feature})
        truth = tf.cast(_decode(stored["mask"]), tf.int64)
        guess = self._predict(_decode(stored["image"]) // GREY)
        return evaluation_outputs(truth, 4.0 * tf.one_hot(guess, len(CLASSES)))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def serving_default(self, image_bytes):
        return {"mask": tf.cast(self._predict(_decode(image_bytes) // GREY), tf.uint8)}


def save(
    path: Path, predict: Callable[[tf.Tensor], tf.Tensor], classes: Sequence[str] = CLASSES, image_size: int = SIZE
) -> str:
    """Saves a model that predicts `predict(the stored guess uint8 [N, S, S])`."""
    module = _Segmenter(predict)
    signatures = {"from_examples": module.from_examples, "serving_default": module.serving_default}
    tf.saved_model.save(module, str(path), signatures=signatures)
    (path / "assets.extra").mkdir()
    card = {"classes": list(classes), "image_size": image_size}
    (path / "assets.extra" / "segpipe.json").write_text(json.dumps(card))
    return str(path)


def pictures(number: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Truth and guess uint8 [N, S, S]: mostly sea, some land, few lakes; a fifth of the pixels guessed at random."""
    rng = np.random.default_rng(7)
    truth = rng.choice([0, 1, 2, 255], size=(number, SIZE, SIZE), p=[0.8, 0.12, 0.03, 0.05])
    guess = np.where(truth == 255, 0, truth)
    wrong = rng.random(truth.shape) < 0.2
    guess[wrong] = rng.integers(0, 3, wrong.sum())
    return truth.astype(np.uint8), guess.astype(np.uint8)


def _png(pixels: np.ndarray) -> bytes:
    return tf.io.encode_png(pixels[..., None]).numpy()


def write_examples(path: Path, truth: np.ndarray, guess: np.ndarray, compression: str = "GZIP") -> None:
    """Writes the pictures as a TFRecord file of Examples; the even ones are dark, the odd ones bright."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for number, (t, g) in enumerate(zip(truth, guess, strict=True)):
            writer.write(
                example.encode(
                    {
                        "id": f"picture-{number:03d}".encode(),
                        "image": _png(g * GREY),
                        "mask": _png(t),
                        "brightness": 0.1 + 0.8 * (number % 2),
                        "slice/site": [b"north", b"south", b"east"][number % 3],
                    }
                )
            )
