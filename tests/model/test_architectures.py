"""The contract that every architecture keeps, the one that docs/extending.md adds included."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from segpipe import config, model
from segpipe.config.model import Model
from segpipe.errors import ConfigError
from segpipe.metrics.picture_counts import evaluation_outputs
from segpipe.model import architectures
from segpipe.preprocess import pictures
from segpipe.savedmodel.export import export
from segpipe.train import optimizer, precision, resizing, steps
from tests.docs.test_extending import shown
from tests.train.conftest import SIZE, example, tiny_config

SMALL = {
    "unet_mobilenetv2": Model(weights="none", width=0.35, decoder_filters=(16, 8, 8, 8)),
    "deeplabv3plus": Model(architecture="deeplabv3plus", weights="none", width=0.35),
    "segformer": Model(architecture="segformer", weights="none", size="b0"),
}
DOCUMENTED = "small"
BATCH = 8


def transform(features):
    decoders = {"image": pictures.images_to_inputs, "mask": pictures.masks_to_targets}
    return {name: decoders[name](value, SIZE) for name, value in features.items()}


@pytest.fixture(scope="module", params=[*SMALL, DOCUMENTED])
def small(request):
    """The smallest [model] section of each architecture; the documented one is added as the documentation says."""
    if request.param in SMALL:
        yield SMALL[request.param]
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(model.ARCHITECTURES, DOCUMENTED, getattr(shown(f"src/segpipe/model/{DOCUMENTED}.py"), DOCUMENTED))
        yield Model(architecture=DOCUMENTED, weights="none")


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    images, masks = zip(*(example(rng) for _ in range(BATCH)), strict=True)
    return {"image": tf.constant(images), "mask": tf.constant(masks)}


@pytest.fixture(scope="module")
def fitted(small, batch):
    """A network in mixed precision and its loss before each of four steps on one batch."""
    keras.utils.set_random_seed(0)
    with precision.building_in("mixed_bfloat16"):
        network = model.build(small, num_classes=2, image_size=SIZE)
    recipe = tiny_config(augment=False, epochs=1, precision="mixed_bfloat16").train
    variables = network.model.trainable_variables
    step = steps.train_step(
        network.model, variables, optimizer.build(recipe, variables, network.pretrained, 100), recipe, None, 0
    )
    data = transform(batch)
    images, masks = pictures.denormalize(data["image"]), tf.cast(data["mask"], tf.uint8)
    return network, [float(step(images, masks)) for _ in range(4)]


def test_every_architecture_is_under_contract():
    assert set(SMALL) == set(model.ARCHITECTURES)


@pytest.mark.parametrize("size", [64, 96])
def test_logits_have_one_value_per_pixel_and_class(small, size):
    network = model.build(small, num_classes=5, image_size=size)
    assert network.model.input_shape == (None, size, size, 3)
    assert network.model.output_shape == (None, size, size, 5)


def test_a_network_works_on_smaller_pictures_too_where_a_config_may_ask_for_them(small):
    if small.architecture == "segformer":
        with pytest.raises(ValueError, match="a segformer takes pictures of one size"):
            config.Config(
                name="tiny",
                data={"classes": ("dark", "bright"), "image_size": 96},
                model={"architecture": "segformer"},
                train={"progressive_resizing": 0.5},
            )
        return
    network = model.build(small, num_classes=5, image_size=96).model
    with resizing.any_side(network):
        assert network(np.zeros((2, 64, 64, 3), np.float32)).shape == (2, 64, 64, 5)
    with pytest.raises(ValueError, match="incompatible"):
        network(np.zeros((2, 64, 64, 3), np.float32))


def test_the_encoder_is_a_part_of_the_model_from_the_same_input(small):
    network = model.build(small, num_classes=2, image_size=64)
    features = network.encoder(np.zeros((2, 64, 64, 3), np.float32))
    assert features.ndim == 4
    assert features.shape[0] == 2
    assert network.encoder.input is network.model.input
    inside = {variable.path for variable in network.model.variables}
    assert {variable.path for variable in network.encoder.variables} <= inside


def test_a_random_start_has_nothing_to_freeze(fitted):
    network = fitted[0]
    assert network.pretrained == ()
    assert all(layer.trainable for layer in network.model.layers)


def test_steps_lower_the_loss_in_mixed_precision(fitted):
    losses = fitted[1]
    assert np.all(np.isfinite(losses))
    assert losses[-1] < losses[0]


def test_logits_and_variables_are_float32_in_mixed_precision_too(fitted):
    network = fitted[0]
    assert network.model(np.zeros((1, SIZE, SIZE, 3), np.float32)).dtype == "float32"
    assert {variable.dtype for variable in network.model.trainable_variables} == {"float32"}
    assert "bfloat16" in {layer.compute_dtype for layer in network.model._flatten_layers()}


def test_saved_weights_come_back_bit_for_bit(fitted, small, tmp_path):
    network = fitted[0]
    network.model.save_weights(tmp_path / "model.weights.h5")
    again = model.build(small, num_classes=2, image_size=SIZE).model
    again.load_weights(tmp_path / "model.weights.h5")
    for ours, theirs in zip(again.weights, network.model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_all_three_signatures_of_the_exported_model_answer_as_the_model(fitted, batch, tmp_path):
    export(fitted[0].model, transform, tiny_config(), str(tmp_path / "model"), evaluation=evaluation_outputs)
    signatures = tf.saved_model.load(str(tmp_path / "model")).signatures
    data = transform(batch)
    logits = fitted[0].model(data["image"], training=False)
    probabilities = tf.nn.softmax(logits)

    served = signatures["serving_default"](batch["image"])
    np.testing.assert_allclose(
        served["confidence"], tf.reduce_mean(tf.reduce_max(probabilities, -1), [1, 2]), atol=0.01
    )
    # bfloat16 rounds otherwise where a graph is folded: a pixel on the fence may fall to the other side.
    assert np.mean(served["mask"].numpy() == tf.argmax(logits, -1).numpy()) > 0.99

    examples = tf.constant(
        [_serialized(image, mask) for image, mask in zip(*map(_listed, batch.values()), strict=True)]
    )
    transformed = signatures["transform_features"](examples)
    np.testing.assert_allclose(transformed["image"], data["image"], atol=1e-6)
    np.testing.assert_array_equal(transformed["mask"], data["mask"])

    expected = evaluation_outputs(data["mask"], logits)
    judged = signatures["from_examples"](examples)
    assert set(judged) == set(expected)
    assert np.sum(judged["confusion"]) == np.sum(data["mask"] != 255)
    assert np.abs(judged["confusion"] - expected["confusion"]).sum() < 0.02 * np.sum(expected["confusion"])


def test_an_unknown_architecture_is_answered_by_the_known_ones():
    with pytest.raises(ConfigError, match="no architecture 'unet'; there are unet_mobilenetv2"):
        model.build(Model(architecture="unet"), num_classes=2, image_size=32)


def test_a_check_before_the_run_finds_what_the_build_would(tmp_path):
    with pytest.raises(ConfigError, match=r"no architecture 'unett'; there are unet_mobilenetv2, deeplabv3plus"):
        architectures.check(Model(architecture="unett"))
    with pytest.raises(ConfigError, match=r"model.weights: no such file: .*mine\.weights\.h5"):
        architectures.check(Model(weights="mine.weights.h5"), tmp_path)
    with pytest.raises(ConfigError, match=r"model\.weights: a URL needs its checksum"):
        architectures.check(Model(weights="gs://bucket/mine.weights.h5"), tmp_path)
    (tmp_path / "mine.weights.h5").touch()
    architectures.check(Model(weights="mine.weights.h5"), tmp_path)


@pytest.mark.parametrize("elsewhere", ["none", "imagenet", "preset:mit_b0_ade20k_512", "https://host/w.h5#sha256=00"])
def test_a_check_before_the_run_downloads_nothing(elsewhere):
    architectures.check(Model(weights=elsewhere))


def _listed(values: tf.Tensor) -> list[bytes]:
    return values.numpy().tolist()


def _serialized(image: bytes, mask: bytes) -> bytes:
    values = {"image": image, "mask": mask}
    features = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for name, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
