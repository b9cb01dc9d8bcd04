"""The four numbers of a picture, against values worked out by hand."""

import numpy as np
import pytest
from PIL import Image

from segpipe.ingest import statistics


def test_a_flat_red_picture():
    of = statistics.of(Image.new("RGB", (8, 8), (255, 0, 0)))
    assert of == pytest.approx({"brightness": 0.299, "contrast": 0, "saturation": 1, "sharpness": 0}, abs=1e-6)


def test_half_black_half_white():
    pixels = np.zeros((4, 4), np.uint8)
    pixels[:, 2:] = 255
    of = statistics.of(Image.fromarray(pixels))
    assert of["brightness"] == pytest.approx(0.5)
    assert of["contrast"] == pytest.approx(0.5)
    assert of["saturation"] == 0
    assert of["sharpness"] == pytest.approx(1.0)  # The Laplacian is +1 left and -1 right of the edge.


def test_blur_lowers_sharpness_and_nothing_else_much():
    from PIL import ImageFilter

    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8))
    sharp, soft = statistics.of(noise), statistics.of(noise.filter(ImageFilter.GaussianBlur(2)))
    assert soft["sharpness"] < sharp["sharpness"] / 10
    assert soft["brightness"] == pytest.approx(sharp["brightness"], abs=0.02)


def test_a_picture_and_its_enlargement_have_nearly_the_same_numbers():
    small = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    small = small.resize((128, 128), Image.Resampling.BICUBIC)
    large = small.resize((512, 512), Image.Resampling.NEAREST)
    assert statistics.of(large) == pytest.approx(statistics.of(small), rel=1e-3)


@pytest.mark.parametrize(("height", "width"), [(3, 3), (3, 255), (97, 61), (128, 128)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_numbers_are_those_of_plain_numpy(height, width, channels):
    pixels = np.random.default_rng(height + channels).integers(0, 256, (height, width, channels), dtype=np.uint8)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    values = pixels / 255.0  # float64
    luma = values @ ([0.299, 0.587, 0.114] if channels == 3 else [1.0])
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    expected = {
        "brightness": luma.mean(),
        "contrast": luma.std(),
        "saturation": (np.ptp(values, axis=-1) / np.maximum(values.max(-1), 1 / 255)).mean(),
        "sharpness": (around - 4 * luma[1:-1, 1:-1]).std(),
    }
    assert statistics.of(image) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (1, 400)])
def test_tiny_and_thin_pictures_have_finite_numbers(size):
    assert all(np.isfinite(value) for value in statistics.of(Image.new("RGB", size, (9, 9, 9))).values())
