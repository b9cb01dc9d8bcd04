import numpy as np
import pytest

from segpipe.publish.space.templates import predictor as template
from segpipe.savedmodel.native_size import at_size


def test_each_pixel_takes_the_class_under_its_centre():
    mask = np.array([[0, 1], [2, 3]], np.uint8)
    np.testing.assert_array_equal(at_size(mask, 4, 6), np.kron(mask, np.ones((2, 3), np.uint8)))
    np.testing.assert_array_equal(at_size(np.array([[0, 1, 2]], np.uint8), 1, 2), [[0, 2]])


def test_a_mask_of_the_pictures_size_stays_as_it_is():
    mask = np.random.default_rng(0).integers(0, 3, (7, 5), np.uint8)
    np.testing.assert_array_equal(at_size(mask, 7, 5), mask)


@pytest.mark.parametrize("side", [128, 256, 320])
@pytest.mark.parametrize("size", [(720, 960), (1080, 1920), (97, 31), (1, 1), (128, 129), (3001, 2999)])
def test_the_spaces_copy_gives_the_same_pixels(side, size):
    mask = np.random.default_rng(side).integers(0, 5, (side, side), np.uint8)
    np.testing.assert_array_equal(template._enlarged(mask, *size), at_size(mask, *size))
