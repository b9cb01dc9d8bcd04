import numpy as np
import pytest

from segpipe.palette import colorize, overlay, palette

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)


def test_every_class_of_255_has_its_own_colour():
    colors = palette(255)
    assert colors.shape == (255, 3)
    assert colors.dtype == np.uint8
    assert len(np.unique(colors, axis=0)) == 255


@pytest.mark.parametrize("num_classes", [1, 2, 7, 8, 150])
def test_a_class_keeps_its_colour_when_classes_are_added(num_classes):
    np.testing.assert_array_equal(palette(num_classes), palette(255)[:num_classes])


@pytest.mark.parametrize("num_classes", [0, 256])
def test_no_palette_for_impossible_numbers(num_classes):
    with pytest.raises(ValueError, match=r"1…255"):
        palette(num_classes)


@pytest.mark.parametrize("matrix", [np.eye(3), DEUTERANOPIA, PROTANOPIA], ids=["normal", "deuteranopia", "protanopia"])
def test_first_colours_stay_apart_for_the_colour_blind(matrix):
    linear = (palette(7) / 255.0) ** 2.2
    seen = np.clip(linear @ matrix.T, 0, 1) ** (1 / 2.2) * 255
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[~np.eye(7, dtype=bool)]
    assert distances.min() > 30


def test_colorize_paints_classes_and_stripes_what_is_ignored():
    mask = np.array([[0, 1, 2], [255, 255, 255]] * 4, np.uint8)
    painted = colorize(mask)
    np.testing.assert_array_equal(painted[0], palette(3))
    ignored = np.unique(painted[mask == 255], axis=0)
    assert len(ignored) == 2
    assert not (ignored[:, None] == palette(255)[None]).all(axis=-1).any()


def test_colorize_uses_the_colours_it_is_given():
    np.testing.assert_array_equal(colorize(np.array([[1]], np.uint8), np.array([[1, 2, 3], [4, 5, 6]])), [[[4, 5, 6]]])


def test_colorize_names_a_class_without_a_colour():
    with pytest.raises(ValueError, match="class 2 but there are 2 colours"):
        colorize(np.array([[2]], np.uint8), palette(2))


def test_overlay_mixes_by_opacity():
    image = np.full((1, 2, 3), 100, np.uint8)
    mask = np.array([[0, 1]], np.uint8)
    np.testing.assert_array_equal(overlay(image, mask, 0.0), image)
    np.testing.assert_array_equal(overlay(image, mask, 1.0), colorize(mask))
    np.testing.assert_array_equal(overlay(image, mask, 0.5)[0, 0], [50, 107, 139])


def test_overlay_rejects_another_size_and_opacity():
    image = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(ValueError, match="one size"):
        overlay(image, np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match="opacity"):
        overlay(image, np.zeros((2, 2), np.uint8), 1.5)
