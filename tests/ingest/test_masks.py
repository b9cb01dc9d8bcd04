"""Mask values become class ids by a table, never by arithmetic or interpolation."""

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from segpipe.config.data import Data
from segpipe.ingest.masks import Meaning, class_ids

PETS = Meaning(class_values=(1, 2, 3))


def _ids(values, meaning, mode="L"):
    return np.asarray(class_ids(Image.fromarray(np.array(values, np.uint8)).convert(mode), meaning).image).tolist()


@pytest.mark.parametrize(("trimap", "class_id"), [(1, 0), (2, 1), (3, 2)])
def test_trimap_values_become_zero_based(trimap, class_id):
    assert _ids([[trimap]], PETS) == [[class_id]]


def test_values_map_in_the_order_of_the_classes():
    assert _ids([[7, 0, 200]], Meaning((200, 7), ignore_values=(0,))) == [[1, 255, 0]]


def test_counts_leave_ignored_pixels_out():
    ids = class_ids(Image.fromarray(np.array([[0, 0, 1, 255]], np.uint8)), Meaning((0, 1), (255,)))
    assert ids.counts == (2, 1)
    assert ids.as_stored


def test_255_is_a_class_where_the_config_says_so():
    assert _ids([[0, 255]], Meaning((0, 255))) == [[0, 1]]


def test_a_value_without_a_meaning_is_named_with_its_share():
    with pytest.raises(ValueError, match=r"holds value 9 in 25\.0% of its pixels; data\.mask_values are 1, 2, 3"):
        _ids([[1, 2, 3, 9]], PETS)


def test_a_tiny_share_is_not_shown_as_zero():
    values = np.ones((200, 200), np.uint8)
    values[0, 0] = 0
    with pytest.raises(ValueError, match=r"value 0 in 2\.5e-05|value 0 in 2e-05|value 0 in 3e-05"):
        _ids(values, PETS)


def test_palette_masks_mean_their_indices_and_not_their_colours():
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    palette.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    assert np.asarray(class_ids(palette, Meaning((0, 1, 2))).image).tolist() == [[0, 1, 2]]
    assert not class_ids(palette, Meaning((0, 1, 2))).as_stored


def test_two_level_masks_are_zero_and_one():
    assert _ids([[0, 255]], Meaning((0, 1)), mode="1") == [[0, 1]]


def test_grey_saved_as_rgb_is_grey():
    assert _ids([[0, 1]], Meaning((0, 1)), mode="RGB") == [[0, 1]]


def test_colours_are_refused():
    with pytest.raises(ValueError, match="is coloured"):
        class_ids(Image.new("RGB", (2, 2), (128, 0, 0)), Meaning((0, 1)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (300, 200)])
def test_each_colour_becomes_its_class_whatever_lies_beside_it(mode, size):
    rng = np.random.default_rng(0)
    colors = np.array([(128, 0, 0), (0, 0, 128), (1, 2, 3), (224, 224, 192)], np.uint8)  # The last one is ignored.
    truth = rng.integers(0, 4, size[::-1])
    image = Image.fromarray(colors[truth])
    if mode == "RGBA":
        image.putalpha(Image.fromarray(rng.integers(0, 256, truth.shape, dtype=np.uint8)))
    elif mode == "P":
        image = image.quantize(4)
    ids = class_ids(image, Meaning((0, 1, 2), class_colors=(0x800000, 0x000080, 0x010203), ignore_colors=(0xE0E0C0,)))
    np.testing.assert_array_equal(np.asarray(ids.image), np.where(truth == 3, 255, truth))
    assert ids.counts == tuple(int((truth == class_id).sum()) for class_id in range(3))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB"])
def test_black_and_white_are_colours_like_any_other_however_they_are_stored(mode):
    drawn = Image.fromarray(np.array([[255, 0, 0]], np.uint8)).convert(mode)
    ids = class_ids(drawn, Meaning((0, 1), class_colors=(0xFFFFFF, 0x000000)))
    assert np.asarray(ids.image).tolist() == [[0, 1, 1]]
    assert not ids.as_stored


def test_grey_levels_of_more_than_8_bits_are_no_colour():
    with pytest.raises(ValueError, match=r"grey levels of more than 8 bits; .* Save it as RGB"):
        class_ids(Image.fromarray(np.array([[0, 65535]], np.uint16)), Meaning((0, 1), class_colors=(0xFFFFFF, 0)))


def test_unknown_colours_are_named_in_their_order_with_their_share():
    pixels = np.array([[(128, 0, 0), (2, 0, 1), (1, 0, 2), (128, 0, 0)]], np.uint8)
    with pytest.raises(ValueError, match=r"holds the colour #010002 and #020001 in 50\.0% of its pixels"):
        class_ids(Image.fromarray(pixels), Meaning((0, 1), class_colors=(0x800000, 0x000080)))


def test_16_bit_masks_keep_small_values_and_refuse_large_ones():
    values = Image.fromarray(np.array([[0, 1]], np.uint16))
    assert np.asarray(class_ids(values, Meaning((0, 1))).image).tolist() == [[0, 1]]
    with pytest.raises(ValueError, match="values up to 256"):
        class_ids(Image.fromarray(np.array([[0, 256]], np.uint16)), Meaning((0, 1)))


def test_a_threshold_cuts_grey_into_two_classes():
    grey = Image.fromarray(np.array([[0, 127, 128, 255]], np.uint8))
    meaning = Meaning.of(Data(classes=("a", "b"), mask_threshold=128))
    ids = class_ids(grey, meaning)
    assert np.asarray(ids.image).tolist() == [[0, 0, 1, 1]]
    assert (ids.counts, ids.as_stored) == ((2, 2), False)


@pytest.mark.parametrize("other", [{"classes": ("a", "b", "c")}, {"mask_values": (0, 255)}, {"ignore_values": (255,)}])
def test_a_threshold_goes_with_nothing_else(other):
    with pytest.raises(ValidationError, match="mask_threshold cuts grey masks into two classes"):
        Data(**{"classes": ("a", "b"), "mask_threshold": 128, **other})
