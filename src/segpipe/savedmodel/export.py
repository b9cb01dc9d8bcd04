"""Exports a fitted model as a SavedModel whose signatures share one decoder and one network."""

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

import segpipe
from segpipe import schema
from segpipe.config import Config
from segpipe.model import presets
from segpipe.palette import palette
from segpipe.savedmodel.card import CARD
from segpipe.train.data import Transform

_LOGITS, _FEATURES = "logits", "features"
Evaluation = Callable[[tf.Tensor, tf.Tensor], Mapping[str, tf.Tensor]]
"""Truth int64 [N, S, S] and logits float32 [N, S, S, K] → what the evaluation adds up, one row per picture."""


def export(
    model: keras.Model,
    transform: Transform,
    config: Config,
    out_dir: str,
    evaluation: Evaluation | None = None,
    encoder: keras.Model | None = None,
) -> str:
    """Writes the model with all that it takes to use it.

    The signatures, each for any number N of pictures:
      serving_default: image_bytes string [N], JPEG or PNG → mask uint8 [N, S, S], class_fraction float32 [N, K] and
        confidence float32 [N], the mean over the pixels of the highest probability.
      transform_features: examples string [N], serialized Examples → image float32 [N, S, S, 3] and mask
        int64 [N, S, S], as the model was trained on.
      from_examples: examples string [N] → what `evaluation` returns; left out without one.
      embeddings: image_bytes string [N] → embedding float32 [N, D], the encoder's features averaged over the picture,
        as drift is measured on; left out without an `encoder`.

    Args:
      model: float32 [N, S, S, 3] → logits float32 [N, S, S, K].
      transform: raw features string [N] → {"image", "mask"}; each output needs its own feature alone.
      config: the run.
      out_dir: a folder or gs:// URL for the SavedModel.
      evaluation: what to compute of truth and logits.
      encoder: a part of `model`, from the same input to features float [N, h, w, D].

    Returns:
      `out_dir`.
    """
    signatures = _signatures(model, encoder, transform, evaluation)
    # Reading the Python source of every frame for debugging would take longer than all the rest.
    options = tf.saved_model.SaveOptions(save_debug_info=False)
    tf.saved_model.save(tf.Module(), out_dir, signatures, options)
    tf.io.gfile.makedirs(f"{out_dir}/assets.extra")
    with tf.io.gfile.GFile(f"{out_dir}/{CARD}", "w") as file:
        file.write(json.dumps(card(config), indent=1))
    return out_dir


def card(config: Config) -> dict[str, Any]:
    """What a program that loads the model needs to know about it."""
    settings = config.model_dump(mode="json", include={"data", "model", "train", "seed"})
    return {
        "classes": list(config.data.classes),
        "palette": palette(config.num_classes).tolist(),
        "image_size": config.data.image_size,
        "architecture": config.model.architecture,
        "weights": config.model.weights,
        "weights_license": presets.licence(config.model.weights),
        "config_digest": hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
        "versions": {"segpipe": segpipe.__version__, "keras": keras.__version__, "tensorflow": tf.__version__},
    }


def _signatures(
    model: keras.Model, encoder: keras.Model | None, transform: Transform, evaluation: Evaluation | None
) -> dict[str, Any]:
    """The concrete functions by name."""
    outputs = {_LOGITS: model.output} | ({_FEATURES: encoder.output} if encoder else {})
    whole = keras.Model(model.input, outputs)
    weights = [[v.numpy() for v in group] for group in (whole.trainable_variables, whole.non_trainable_variables)]
    transform = tf.function(transform, autograph=False)

    # Traced once and called by every signature; TensorFlow leaves out what one of them does not use. The weights are
    # constants: saving and loading hundreds of variables costs seconds, and what is computed of them alone, such as the
    # filters that a batch normalization scales, TensorFlow computes once.
    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)], autograph=False)
    def predict(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        constants = [[tf.constant(value) for value in group] for group in weights]
        return whole.stateless_call(*constants, inputs, training=False)[0]

    def serving_default(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = tf.nn.softmax(predict(transform({schema.IMAGE: image_bytes})[schema.IMAGE])[_LOGITS])
        mask = tf.argmax(probabilities, -1, tf.int32)
        return {
            "mask": tf.cast(mask, tf.uint8),
            "class_fraction": tf.reduce_mean(tf.one_hot(mask, probabilities.shape[-1]), [1, 2]),
            "confidence": tf.reduce_mean(tf.reduce_max(probabilities, -1), [1, 2]),
        }

    def transform_features(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        features = {name: tf.io.FixedLenFeature([], tf.string) for name in (schema.IMAGE, schema.MASK)}
        transformed = transform(tf.io.parse_example(examples, features))
        return {name: transformed[name] for name in features}

    functions: dict[str, Callable[[tf.Tensor], Mapping[str, tf.Tensor]]] = {
        "serving_default": serving_default,
        "transform_features": transform_features,
    }
    if evaluation is not None:

        def from_examples(examples: tf.Tensor) -> Mapping[str, tf.Tensor]:
            transformed = transform_features(examples)
            return evaluation(transformed[schema.MASK], predict(transformed[schema.IMAGE])[_LOGITS])

        functions["from_examples"] = from_examples
    if encoder is not None:

        def embeddings(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
            features = predict(transform({schema.IMAGE: image_bytes})[schema.IMAGE])[_FEATURES]
            return {"embedding": tf.reduce_mean(tf.cast(features, tf.float32), [1, 2])}

        functions["embeddings"] = embeddings
    return {name: _concrete(function) for name, function in functions.items()}


def _concrete(function: Callable[[tf.Tensor], Mapping[str, tf.Tensor]]) -> Any:
    (name,) = inspect.signature(function).parameters
    signature = tf.TensorSpec([None], tf.string, name=name)
    return tf.function(function, autograph=False).get_concrete_function(signature)
