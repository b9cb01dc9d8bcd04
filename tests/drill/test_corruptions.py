import numpy as np
import pytest
from PIL import Image

from segpipe.drill.corruptions import CORRUPTIONS, check_names, corrupt, plasma
from segpipe.errors import ConfigError


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(30, 200, (12, 12, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((96, 80), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_hurts_more_the_more_severe_and_is_the_same_twice(image, name):
    errors = []
    for severity in (1, 3, 5):
        worse = corrupt(image, name, severity, seed=7)
        assert worse.shape == image.shape
        assert worse.dtype == np.uint8
        np.testing.assert_array_equal(worse, corrupt(image, name, severity, seed=7))
        errors.append(lost(image, worse) if name == "fog" else np.abs(worse.astype(float) - image).mean())
    assert 0 < errors[0] < errors[1] < errors[2]


def lost(image: np.ndarray, worse: np.ndarray) -> float:
    """How much of the picture's own contrast is gone, 0…1: fog adds light and shade of its own."""
    covariance = np.cov(image.ravel(), worse.ravel())
    return 1 - covariance[0, 1] / covariance[0, 0]


def test_each_corruption_does_what_its_name_says(image):
    grey = np.full((64, 64, 3), 100, np.uint8)
    assert corrupt(grey, "brightness", 2, 0).mean() == pytest.approx(100 + 0.2 * 255, abs=1)
    assert corrupt(grey, "noise", 1, 0).std() == pytest.approx(0.08 * 255, rel=0.05)
    assert corrupt(image, "contrast", 1, 0).std() == pytest.approx(0.4 * image.std(axis=(0, 1)).mean(), rel=0.1)
    edges = np.abs(np.diff(image.astype(float), axis=0)).mean()
    assert np.abs(np.diff(corrupt(image, "blur", 5, 0).astype(float), axis=0)).mean() < 0.7 * edges
    assert corrupt(image, "fog", 3, 0).std() < image.std()


def test_clouds_fill_their_range():
    clouds = plasma(50, 2.0, np.random.default_rng(0))
    assert (clouds.shape, clouds.min(), clouds.max()) == ((50, 50), 0, 1)


def test_an_unknown_corruption_lists_the_known_ones():
    with pytest.raises(ConfigError, match="no 'rain'; there are noise, blur, fog, jpeg, brightness, contrast"):
        check_names(("noise", "rain"))
