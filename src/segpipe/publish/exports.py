"""Exports a model as a Keras file and a LiteRT file, each checked against the SavedModel that it goes with."""

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from segpipe.config import Config
from segpipe.errors import ConfigError, RunError
from segpipe.model.architectures import build
from segpipe.model.upsampling import JoiningConv2DTranspose
from segpipe.preprocess import pictures
from segpipe.publish.files import File
from segpipe.savedmodel.load import load

MIN_AGREEMENT = 0.995
"""Share of the pixels at which an export must give the SavedModel's class: rounding may turn a pixel between two."""

CHECKED_PICTURES = 4
EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)
_OTHER = (
    "hub.exports: the config's [model] or data.image_size is not that of the training; give the same --set as its run."
)
Masks = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Pictures uint8 [N, S, S, 3] → masks uint8 [N, S, S]."""


def export(config: Config, saved_model: Path, weights: Path) -> tuple[tuple[File, ...], dict[str, str]]:
    """Makes the formats of `hub.exports`.

    Args:
      config: the run's.
      saved_model: folder of the SavedModel.
      weights: the Trainer's `weights.WEIGHTS_FILE`, of the same training.

    Returns:
      The files, under exports/, and a sentence on each for the card. The same weights give the same bytes.

    Raises:
      ConfigError: there are no weights, or they are of a network or a size that the config does not name.
      RunError: a format gives other masks than the SavedModel.
    """
    if not weights.is_file():
        raise ConfigError(f"hub.exports needs the training's weights, and there is no {weights}; train again.")
    model = _plain(config, weights)
    truth = _served(saved_model)
    size = config.data.image_size
    files, sentences = [], {}
    for name in config.hub.exports:
        path, content, masks, usage = FORMATS[name](model, size)
        agreement = _agreement(masks, truth, size)
        if agreement < MIN_AGREEMENT:
            raise RunError(
                f"{path} gives the SavedModel's class at {agreement:.2%} of the pixels, fewer than "
                f"{MIN_AGREEMENT:.1%}; leave {name} out of hub.exports."
            )
        files.append(File(path, content))
        sentences[path] = f"{usage} Checked: the SavedModel's class at {agreement:.2%} of the pixels or more."
    return tuple(files), sentences


def _plain(config: Config, weights: Path) -> keras.Model:
    """The network with its weights, in Keras' own layers wherever segpipe has a faster one of its own."""
    keras.utils.clear_session()  # Names count up within a process; a retry is to give the same ones.
    unweighted = config.model.model_copy(update={"weights": "none"})
    model = build(unweighted, config.num_classes, config.data.image_size, config.directory).model
    try:
        model.load_weights(str(weights))
    except ValueError:  # Keras' own sentence lists every layer.
        raise ConfigError(_OTHER) from None
    if not any(_is_fused(layer) or isinstance(layer, JoiningConv2DTranspose) for layer in model.layers):
        return model
    plain = keras.models.clone_model(model, clone_function=_in_keras_own)
    plain.set_weights(model.get_weights())
    return plain


def _is_fused(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization) and type(layer) is not keras.layers.BatchNormalization


def _in_keras_own(layer: keras.Layer) -> keras.Layer:
    if isinstance(layer, JoiningConv2DTranspose):
        return layer.in_keras_own()
    kind = keras.layers.BatchNormalization if _is_fused(layer) else type(layer)
    return kind.from_config(layer.get_config())


def _keras(model: keras.Model, size: int) -> tuple[str, bytes, Masks, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        content = _timeless(path.read_bytes())
        path.write_bytes(content)
        loaded = keras.saving.load_model(path, compile=False)

    def masks(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        logits = loaded(pictures.normalize(images), training=False)
        return np.asarray(tf.argmax(logits, -1)).astype(np.uint8)

    hub = " and Keras Hub" if any(type(layer).__module__.startswith("keras_hub.") for layer in model.layers) else ""
    usage = (
        f"Keras 3{hub}; float32 [N, {size}, {size}, 3] in [-1, 1] → logits float32 [N, {size}, {size}, K]; resize and "
        "scale the pictures yourself."
    )
    return "exports/model.keras", content, masks, usage


def _litert(model: keras.Model, size: int) -> tuple[str, bytes, Masks, str]:
    weights = [[v.numpy() for v in group] for group in (model.trainable_variables, model.non_trainable_variables)]

    @tf.function(input_signature=[tf.TensorSpec([1, size, size, 3], tf.uint8)], autograph=False)
    def segment(image: tf.Tensor) -> tf.Tensor:
        # The converter leaves Keras 3's variables without their values; constants it keeps.
        constants = [[tf.constant(value) for value in group] for group in weights]
        logits = model.stateless_call(*constants, pictures.normalize(image), training=False)[0]
        return tf.cast(tf.argmax(logits, -1, tf.int32), tf.uint8)

    content = tf.lite.TFLiteConverter.from_concrete_functions([segment.get_concrete_function()]).convert()
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()

    def masks(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        found = []
        for image in images:
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[np.newaxis])
            interpreter.invoke()
            found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
        return np.stack(found)

    usage = (
        f"LiteRT (TensorFlow Lite), float32; uint8 [1, {size}, {size}, 3] RGB → mask uint8 [1, {size}, {size}]; resize "
        "the picture yourself."
    )
    return "exports/model.tflite", content, masks, usage


FORMATS: dict[str, Callable[[keras.Model, int], tuple[str, bytes, Masks, str]]] = {"keras": _keras, "litert": _litert}


def _served(saved_model: Path) -> Masks:
    signature = load(saved_model).signature()

    def masks(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return signature.run_batch([_png(image) for image in images])["mask"]

    return masks


def _agreement(one: Masks, other: Masks, size: int) -> float:
    """The smallest share of equal pixels over a few pictures of coloured blobs."""
    images = _blobs(size)
    ours, theirs = one(images), other(images)
    if ours.shape != theirs.shape:
        raise ConfigError(_OTHER)
    return float((ours == theirs).mean(axis=(1, 2)).min())


def _blobs(size: int) -> NDArray[np.uint8]:
    """uint8 [CHECKED_PICTURES, size, size, 3], the same every time; no resizing is left to differ in."""
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (CHECKED_PICTURES, 8, 8, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(image).resize((size, size))) for image in small])


def _png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def _timeless(archive: bytes) -> bytes:
    """A .keras archive without the time of its making, which would make every retry another file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "metadata.json":
                content = json.dumps({**json.loads(content), "date_saved": ""}, sort_keys=True).encode()
            target.writestr(zipfile.ZipInfo(name, EPOCH_OF_ZIP), content)
    return buffer.getvalue()
