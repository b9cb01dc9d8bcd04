import keras
import numpy as np
import pytest

from segpipe import model
from segpipe.config.model import Model
from segpipe.errors import ConfigError

SMALL = Model(weights="none", width=0.35, decoder_filters=(16, 8, 8, 8))


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(1)
    return keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)


@pytest.fixture
def weights_file(encoder, tmp_path):
    path = tmp_path / "encoder.weights.h5"
    encoder.save_weights(path)
    return path


def test_the_encoder_starts_from_the_named_file(encoder, weights_file):
    settings = SMALL.model_copy(update={"weights": weights_file.name})
    network = model.build(settings, 2, 32, directory=weights_file.parent)
    loaded = network.model.get_layer("block_6_expand").kernel
    np.testing.assert_array_equal(loaded, encoder.get_layer("block_6_expand").kernel)


def test_only_encoder_variables_count_as_pretrained(weights_file):
    network = model.build(SMALL.model_copy(update={"weights": str(weights_file)}), 2, 32)
    names = {variable.path.split("/")[0] for variable in network.pretrained}
    assert {"Conv1", "block_16_project"} <= names
    assert not any(name.startswith(("decoder", "logits")) for name in names)


def test_learned_statistics_of_the_encoder_stay_as_they_are(weights_file):
    network = model.build(SMALL.model_copy(update={"weights": str(weights_file)}), 2, 32)
    before = np.array(network.model.get_layer("bn_Conv1").moving_mean)
    network.model(np.ones((2, 32, 32, 3), np.float32), training=True)
    np.testing.assert_array_equal(network.model.get_layer("bn_Conv1").moving_mean, before)


def test_a_random_encoder_learns_its_statistics_fast():
    network = model.build(SMALL, 2, 32)
    norms = [layer for layer in network.model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {layer.momentum for layer in norms} == {0.9}


def test_weights_of_another_width_are_refused(weights_file):
    settings = SMALL.model_copy(update={"weights": str(weights_file), "width": 0.5})
    with pytest.raises(ConfigError, match=r"does not fit MobileNetV2 of width 0\.5"):
        model.build(settings, 2, 32)


def test_offline_imagenet_weights_say_what_to_do_instead(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.applications.mobilenet_v2, "BASE_WEIGHT_PATH", "http://127.0.0.1:9/", raising=False)
    with pytest.raises(ConfigError, match=r'model\.weights = "none"'):
        model.build(SMALL.model_copy(update={"weights": "imagenet"}), 2, 32)
