import keras_hub
import numpy as np
import pytest

from segpipe import model
from segpipe.config.model import Model
from segpipe.errors import ConfigError
from segpipe.model import presets, weights


@pytest.fixture(scope="module")
def mit_preset(tmp_path_factory):
    """A tiny preset on disk, as Keras Hub would download it."""
    encoder = keras_hub.models.MiTBackbone(
        image_shape=(64, 64, 3),
        hidden_dims=[32, 64, 160, 256],
        layerwise_depths=[2, 2, 2, 2],
        num_layers=4,
        layerwise_num_heads=[1, 2, 5, 8],
        layerwise_sr_ratios=[8, 4, 2, 1],
        layerwise_patch_sizes=[7, 3, 3, 3],
        layerwise_strides=[4, 2, 2, 2],
        max_drop_path_rate=0.1,
    )
    folder = tmp_path_factory.mktemp("presets") / "any"
    encoder.save_to_preset(str(folder))
    return folder, encoder.get_weights()


def test_a_preset_gives_the_encoder_its_weights_at_another_size(mit_preset):
    folder, expected = mit_preset
    settings = Model(architecture="segformer", weights=f"{weights.PRESET}{folder}")
    network = model.build(settings, num_classes=2, image_size=96)
    learned = {variable.path: variable.numpy() for variable in network.pretrained}
    assert len(learned) == len(expected)
    for ours, theirs in zip(network.pretrained, expected, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs)


def test_nvidias_weights_want_their_licence_accepted_by_name():
    settings = Model(architecture="segformer", weights="preset:mit_b0_ade20k_512")
    with pytest.raises(ConfigError, match=r'non-commercial .* model\.accept_licence = "nvidia-source-code-license"'):
        model.build(settings, num_classes=2, image_size=64)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("imagenet", "apache-2.0"),
        ("preset:deeplab_v3_plus_resnet50_pascalvoc", "apache-2.0"),
        ("preset:segformer_b0_ade20k_512", presets.NVIDIA),
        ("preset:mit_b5_ade20k_640", presets.NVIDIA),
        ("preset:somebody_elses", ""),
        ("mine.weights.h5", ""),
        ("none", ""),
    ],
)
def test_the_licence_of_weights_is_told_where_it_is_known(weights, expected):
    assert presets.licence(weights) == expected


def test_a_preset_that_cannot_be_had_names_the_alternatives(tmp_path):
    settings = Model(architecture="deeplabv3plus", weights=f"preset:{tmp_path}/gone")
    with pytest.raises(ConfigError, match=r'cannot load the preset .*gone .* model\.weights = "none"'):
        model.build(settings, num_classes=2, image_size=64)


def test_segformer_has_no_imagenet_weights_and_says_so():
    with pytest.raises(ConfigError, match='segformer: Keras has no "imagenet" weights'):
        model.build(Model(architecture="segformer", weights="imagenet"), num_classes=2, image_size=64)
