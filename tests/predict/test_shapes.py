import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from matplotlib.path import Path
from pycocotools import mask as coco

from segpipe.predict import shapes

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


@given(MASKS)
@settings(max_examples=200, deadline=None)
def test_rle_is_cocos_own(mask):
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert shapes.rle(mask) == {"size": theirs["size"], "counts": theirs["counts"].decode()}


def drawn(polygons: list, shape: tuple[int, int]) -> np.ndarray:
    centres = np.stack(np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5), -1).reshape(-1, 2)
    inside = np.zeros(len(centres), int)
    for outer, *holes in polygons:
        region = Path(outer).contains_points(centres).astype(int)
        for hole in holes:
            region -= Path(hole).contains_points(centres)
        inside += region
    return inside.reshape(shape)


@given(MASKS)
@settings(max_examples=200, deadline=None)
def test_polygons_drawn_again_give_the_same_mask_each_pixel_once(mask):
    np.testing.assert_array_equal(drawn(shapes.polygons(mask), mask.shape), mask.astype(int))


def test_a_ring_with_an_island_in_its_hole_is_two_regions():
    mask = np.zeros((5, 5), bool)
    mask[:] = True
    mask[1:4, 1:4] = False
    mask[2, 2] = True
    small, large = shapes.polygons(mask)
    assert small == [[(2, 2), (3, 2), (3, 3), (2, 3), (2, 2)]]
    assert large[0] == [(0, 0), (5, 0), (5, 5), (0, 5), (0, 0)]
    assert len(large) == 2
    assert set(large[1]) == {(1, 1), (4, 1), (4, 4), (1, 4)}


@pytest.mark.parametrize(("mask", "regions"), [([[1, 0], [0, 1]], 2), ([[0, 0]], 0), ([[1, 1]], 1)])
def test_pixels_that_touch_at_a_corner_are_two_regions(mask, regions):
    assert len(shapes.polygons(np.array(mask, bool))) == regions
