import json

import numpy as np
import pytest
import tensorflow as tf

from segpipe import model, schema
from segpipe.config import Config
from segpipe.metrics.picture_counts import evaluation_outputs
from segpipe.model import seeds
from segpipe.preprocess import pictures
from segpipe.savedmodel.export import export

SIZE, CLASSES = 32, 3
CONFIG = Config(
    name="tiny",
    data={"classes": ("sea", "land", "ice"), "image_size": SIZE},
    model={"weights": "none", "width": 0.35, "decoder_filters": (16, 8, 8, 8)},
)


def transform(features):
    decoders = {"image": pictures.images_to_inputs, "mask": pictures.masks_to_targets}
    return {name: decoders[name](value, SIZE) for name, value in features.items()}


@pytest.fixture(scope="module")
def network():
    with seeds.drawn_from(0):
        return model.build(CONFIG.model, CLASSES, SIZE)


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    out = str(tmp_path_factory.mktemp("export") / "1")
    return export(network.model, transform, CONFIG, out, evaluation_outputs, network.encoder)


@pytest.fixture(scope="module")
def loaded(folder):
    return tf.saved_model.load(folder)


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    sizes = [(40, 50), (32, 32), (20, 70)]
    jpegs = [tf.io.encode_jpeg(rng.integers(0, 256, (*size, 3), np.uint8)).numpy() for size in sizes]
    masks = [tf.io.encode_png(rng.choice([0, 1, 2, 255], (*size, 1)).astype(np.uint8)).numpy() for size in sizes]
    return jpegs, masks


def examples(jpegs, masks):
    rows = []
    for image, mask in zip(jpegs, masks, strict=True):
        values = {schema.IMAGE: image, schema.MASK: mask, schema.ID: b"id"}
        feature = {k: tf.train.Feature(bytes_list=tf.train.BytesList(value=[v])) for k, v in values.items()}
        rows.append(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return tf.constant(rows)


def test_there_are_the_three_published_signatures_and_one_for_drift(loaded):
    assert set(loaded.signatures) == {"serving_default", "transform_features", "from_examples", "embeddings"}


def test_an_embedding_is_the_mean_of_what_the_encoder_sees(loaded, network, drawn):
    jpegs, _ = drawn
    seen = network.encoder(pictures.images_to_inputs(tf.constant(jpegs), SIZE), training=False).numpy()
    answer = loaded.signatures["embeddings"](image_bytes=tf.constant(jpegs))["embedding"]
    np.testing.assert_allclose(answer, seen.mean((1, 2)), atol=1e-5)


def test_serving_default_answers_as_the_keras_model(loaded, network, drawn):
    jpegs, _ = drawn
    logits = network.model(pictures.images_to_inputs(tf.constant(jpegs), SIZE), training=False).numpy()
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    answer = loaded.signatures["serving_default"](image_bytes=tf.constant(jpegs))
    assert {name: value.dtype.name for name, value in answer.items()} == {
        "mask": "uint8", "class_fraction": "float32", "confidence": "float32",
    }  # fmt: skip
    mask = logits.argmax(-1)
    np.testing.assert_array_equal(answer["mask"], mask)
    fraction = [np.bincount(one.ravel(), minlength=CLASSES) / SIZE**2 for one in mask]
    np.testing.assert_allclose(answer["class_fraction"], fraction, atol=1e-6)
    np.testing.assert_allclose(answer["confidence"], probabilities.max(-1).mean((1, 2)), atol=1e-5)


def test_transform_features_gives_what_training_sees(loaded, drawn):
    answer = loaded.signatures["transform_features"](examples=examples(*drawn))
    expected = transform({"image": tf.constant(drawn[0]), "mask": tf.constant(drawn[1])})
    np.testing.assert_allclose(answer["image"], expected["image"], atol=1e-6)
    np.testing.assert_array_equal(answer["mask"], expected["mask"])


def test_from_examples_counts_what_serving_default_predicts(loaded, drawn):
    counts = loaded.signatures["from_examples"](examples=examples(*drawn))["confusion"].numpy()
    predicted = loaded.signatures["serving_default"](image_bytes=tf.constant(drawn[0]))["mask"].numpy()
    truth = pictures.masks_to_targets(tf.constant(drawn[1]), SIZE).numpy()
    for row, true, guess in zip(counts, truth, predicted, strict=True):
        expected = np.zeros((CLASSES, CLASSES), np.int64)
        np.add.at(expected, (true[true != 255], guess[true != 255]), 1)
        np.testing.assert_array_equal(row.reshape(CLASSES, CLASSES), expected)


@pytest.mark.parametrize("count", [1, 2])
def test_any_number_of_pictures_is_answered(loaded, drawn, count):
    answer = loaded.signatures["serving_default"](image_bytes=tf.constant(drawn[0][:count], tf.string))
    assert answer["mask"].shape == (count, SIZE, SIZE)


def test_without_an_evaluation_and_an_encoder_there_are_no_signatures_for_them(network, tmp_path):
    loaded = tf.saved_model.load(export(network.model, transform, CONFIG, str(tmp_path / "1")))
    assert set(loaded.signatures) == {"serving_default", "transform_features"}


def test_the_card_names_classes_colours_and_origin(folder):
    with tf.io.gfile.GFile(f"{folder}/assets.extra/segpipe.json") as file:
        card = json.load(file)
    assert card["classes"] == ["sea", "land", "ice"]
    assert len(card["palette"]) == CLASSES
    assert card["image_size"] == SIZE
    assert (card["architecture"], card["weights"]) == ("unet_mobilenetv2", "none")
    assert card["versions"]["tensorflow"] == tf.__version__
    assert len(card["config_digest"]) == 64
