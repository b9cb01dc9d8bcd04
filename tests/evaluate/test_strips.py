import io

import numpy as np
import pytest
from PIL import Image

from segpipe import schema
from segpipe.evaluate import strips
from segpipe.evaluate.report import Sample
from segpipe.palette import palette


def sample(side=64):
    """A black picture whose left half is class 1; the model finds it in the upper half alone; one row is not judged."""
    truth, prediction = np.zeros((2, side, side), np.uint8)
    truth[:, : side // 2] = 1
    prediction[: side // 2, : side // 2] = 1
    truth[-1] = schema.IGNORE
    return Sample("tile", np.zeros((side, side, 3), np.uint8), truth, prediction, 0.5)


def test_only_judged_pixels_of_another_class_are_red():
    red = (strips.errors(sample()) == (213, 0, 0)).all(axis=-1)
    assert red[32:-1, :32].all()
    assert red.sum() == 31 * 32


def test_a_strip_shows_picture_truth_prediction_and_errors():
    joined = Image.open(io.BytesIO(strips.strip(sample())))
    assert joined.size == (4 * 64 + 3 * 4, 64)
    lower_left = [joined.getpixel((x * 68 + 16, 48)) for x in range(4)]
    background, disc = palette(2)
    expected = [(0, 0, 0), disc, background, (213, 0, 0)]
    assert np.abs(np.array(lower_left, int) - np.array(expected, int)).max() < 12  # It is a JPEG.


@pytest.mark.parametrize(("size", "fitted"), [((64, 32), (64, 32)), ((512, 300), (256, 150)), ((2, 1024), (1, 256))])
def test_pictures_are_made_smaller_and_never_larger(size, fitted):
    width, height = size
    assert strips.fit(np.zeros((height, width, 3), np.uint8)).size == fitted


def test_no_colour_appears_between_two_classes():
    pixels = np.zeros((512, 300, 3), np.uint8)
    pixels[::2] = 200
    assert set(np.unique(strips.fit(pixels))) <= {0, 200}
