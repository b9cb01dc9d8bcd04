import numpy as np
import pytest
from PIL import Image

from segpipe.ingest import masks
from segpipe.ingest.mask_census import MaskCensus


def _census(**pictures: Image.Image) -> MaskCensus:
    census = MaskCensus()
    for name, mask in pictures.items():
        census.add(f"{name}.png", mask, masks.stored_values(mask))
    return census


def _grey(*values: int) -> Image.Image:
    return Image.fromarray(np.repeat(np.array(values, np.uint8), 4).reshape(-1, 4))


def _with_palette(mask: Image.Image, *colors: str) -> Image.Image:
    mask = Image.frombytes("P", mask.size, mask.tobytes())
    mask.putpalette([int(color[start : start + 2], 16) for color in colors for start in (0, 2, 4)])
    return mask


def test_two_ways_of_writing_a_binary_mask_are_named_with_a_file_each():
    sentence = _census(empty=_grey(0, 0), a=_grey(0, 1), b=_grey(0, 255)).disagreement()
    assert "a.png holds 0/1 and b.png 0/255" in sentence


@pytest.mark.parametrize(
    "held", [[(0, 1), (0, 1, 255)], [(0, 1), (1, 2, 255)], [(0, 255), (255, 0)], [(1, 255), (0, 1)]]
)
def test_an_ignored_border_is_no_second_way_of_writing(held):
    assert _census(a=_grey(*held[0]), b=_grey(*held[1])).disagreement() == ""


def test_palettes_that_differ_where_they_are_used_are_named():
    red = _with_palette(_grey(0, 1), "000000", "ff0000", "0000ff")
    also_red = _with_palette(_grey(0, 1), "000000", "ff0000", "ffffff")
    green = _with_palette(_grey(0, 1), "000000", "00ff00")
    assert _census(a=red, b=also_red).disagreement() == ""
    sentence = _census(a=red, b=also_red, c=green).disagreement()
    assert "the value 1 is #ff0000 in a.png and #00ff00 in c.png" in sentence


def test_a_palette_from_light_to_dark_beside_grey_masks_is_named():
    turned = _with_palette(_grey(0, 1), "ffffff", "000000")
    straight = _with_palette(_grey(0, 1), "000000", "ffffff")
    assert "a.png has a palette" in _census(a=turned, b=_grey(0, 1)).disagreement()
    assert _census(a=straight, b=_grey(0, 1)).disagreement() == ""
    assert _census(a=turned, b=turned).disagreement() == ""


def test_a_soft_edge_has_many_values_in_few_pixels():
    ramp = _grey(*[0] * 300, *range(0, 256, 8), *[255] * 300)
    low, high, share = _census(a=ramp).soft_edge() or pytest.fail("no soft edge was seen")
    assert (low, high) == (0, 255)
    assert share == pytest.approx(31 / 632)
    assert _census(a=_grey(*[0] * 300, *[127] * 20, *[255] * 300)).soft_edge() is None
    assert _census(a=_grey(*range(256))).soft_edge() is None


@pytest.mark.parametrize(("width", "border"), [(3, True), (5, True), (30, False)])
def test_a_border_is_thin(width, border):
    values = np.zeros((64, 64), np.uint8)
    values[:, 20 : 20 + width] = 255
    values[:, :20] = 1
    assert _census(a=Image.fromarray(values)).looks_like_a_border() is border
