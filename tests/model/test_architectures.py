import keras
import numpy as np
import pytest

from segpipe import config, model
from segpipe.errors import ConfigError
from segpipe.model import architectures

SMALL = {
    "unet_mobilenetv2": config.Model(weights="none", width=0.35, decoder_filters=(16, 8, 8, 8)),
    "deeplabv3plus": config.Model(architecture="deeplabv3plus", weights="none", width=0.35),
    "segformer": config.Model(architecture="segformer", weights="none", size="b0"),
}


@pytest.fixture(params=SMALL)
def small(request):
    return SMALL[request.param]


def test_every_architecture_is_under_contract():
    assert set(SMALL) == set(model.ARCHITECTURES)


@pytest.mark.parametrize("size", [32, 96])
def test_logits_have_one_value_per_pixel_and_class(small, size):
    network = model.build(small, num_classes=5, image_size=size)
    logits = network.model(np.zeros((2, size, size, 3), np.float32))
    assert logits.shape == (2, size, size, 5)
    assert logits.dtype == "float32"


def test_the_encoder_is_a_part_of_the_model_from_the_same_input(small):
    network = model.build(small, num_classes=2, image_size=64)
    features = network.encoder(np.zeros((2, 64, 64, 3), np.float32))
    assert features.ndim == 4
    assert features.shape[0] == 2
    assert network.encoder.input is network.model.input
    inside = {variable.path for variable in network.model.variables}
    assert {variable.path for variable in network.encoder.variables} <= inside


def test_a_random_start_has_nothing_to_freeze(small):
    network = model.build(small, num_classes=2, image_size=32)
    assert network.pretrained == ()
    assert all(layer.trainable for layer in network.model.layers)


def test_logits_are_float32_in_mixed_precision_too(small):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = model.build(small, num_classes=2, image_size=32)
    finally:
        keras.config.set_dtype_policy(before)
    assert network.model(np.zeros((1, 32, 32, 3), np.float32)).dtype == "float32"
    assert network.model.variables[0].dtype == "float32"


def test_an_unknown_architecture_is_answered_by_the_known_ones():
    with pytest.raises(ConfigError, match="no architecture 'unet'; there are unet_mobilenetv2"):
        model.build(config.Model(architecture="unet"), num_classes=2, image_size=32)


def test_a_check_before_the_run_finds_what_the_build_would(tmp_path):
    with pytest.raises(ConfigError, match=r"no architecture 'unett'; there are unet_mobilenetv2, deeplabv3plus"):
        architectures.check(config.Model(architecture="unett"))
    with pytest.raises(ConfigError, match=r"model.weights: no such file: .*mine\.weights\.h5"):
        architectures.check(config.Model(weights="mine.weights.h5"), tmp_path)
    (tmp_path / "mine.weights.h5").touch()
    architectures.check(config.Model(weights="mine.weights.h5"), tmp_path)


@pytest.mark.parametrize("elsewhere", ["none", "imagenet", "preset:mit_b0_ade20k_512", "https://host/w.h5#sha256=00"])
def test_a_check_before_the_run_downloads_nothing(elsewhere):
    architectures.check(config.Model(weights=elsewhere))
