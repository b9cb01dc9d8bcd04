import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from segpipe.preprocess import pictures


def encode(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(params=["eager", "tf.data"])
def run(request):
    """Calls an op on one value, eagerly or as a step of a data set, and returns its NumPy result."""
    if request.param == "eager":
        return lambda op, value: op(tf.constant(value)).numpy()
    return lambda op, value: next(tf.data.Dataset.from_tensors(value).map(op).as_numpy_iterator())


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_png_is_decoded_pixel_for_pixel(run):
    pixels = noise(5, 7, 3)
    decoded = run(pictures.decode_image, encode(pixels))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels)


def test_jpeg_is_decoded_as_pillow_does(run):
    jpeg = encode(np.full((16, 24, 3), (200, 30, 90), np.uint8), "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)
    decoded = run(pictures.decode_image, jpeg)
    assert decoded.shape == (16, 24, 3)
    assert np.abs(decoded.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_pictures_get_three_equal_channels(run, kind):
    decoded = run(pictures.decode_image, encode(np.full((8, 8), 77, np.uint8), kind))
    assert decoded.shape == (8, 8, 3)
    np.testing.assert_array_equal(decoded, 77)


def test_resizing_an_image_to_its_own_size_changes_nothing(run):
    pixels = noise(32, 32, 3)
    np.testing.assert_array_equal(run(lambda x: pictures.resize_image(x, 32), pixels), pixels)


def test_shrinking_averages_instead_of_skipping_pixels(run):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    shrunk = run(lambda x: pictures.resize_image(x, 16), stripes)
    # Without antialiasing the result would be 0 or 255 throughout, by the phase of the stripes.
    np.testing.assert_allclose(shrunk[:, 2:-2].mean(), 127.5, atol=8)
    assert shrunk[:, 2:-2].std() < 20


def test_a_mask_is_resized_by_the_nearest_pixel(run):
    mask = np.array([[0, 2], [255, 1]], np.uint8)
    expected = np.kron(mask, np.ones((2, 2), np.uint8))
    np.testing.assert_array_equal(run(lambda x: pictures.resize_mask(x, 4), mask), expected)


@settings(max_examples=30, deadline=None)
@given(
    mask=arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.sampled_from([0, 3, 7, 255])),
    size=st.sampled_from([32, 64]),
)
def test_resizing_a_mask_invents_no_class(mask, size):
    target = pictures.masks_to_targets(tf.constant([encode(mask)]), size).numpy()
    assert set(np.unique(target)) <= set(np.unique(mask).astype(int))


def test_normalize_covers_minus_one_to_one(run):
    np.testing.assert_allclose(run(pictures.normalize, np.array([0, 51, 255], np.uint8)), [-1, -0.6, 1], atol=1e-6)


def test_denormalize_inverts_normalize_for_every_value():
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(pictures.denormalize(pictures.normalize(values)).numpy(), values)


def test_a_batch_of_pictures_of_many_sizes_and_kinds_becomes_one_tensor(run):
    encoded = [encode(noise(20, 50, 3)), encode(noise(33, 8, 3), "JPEG"), encode(noise(9, 9))]
    inputs = run(lambda x: pictures.images_to_inputs(x, 32), encoded)
    assert inputs.shape == (3, 32, 32, 3)
    assert inputs.dtype == np.float32
    assert -1 <= inputs.min() < inputs.max() <= 1


def test_a_column_of_pictures_is_taken_like_a_row(run):
    encoded = [encode(noise(20, 50, 3)), encode(noise(33, 8, 3))]
    row = run(lambda x: pictures.images_to_inputs(x, 32), encoded)
    column = run(lambda x: pictures.images_to_inputs(x, 32), [[one] for one in encoded])
    np.testing.assert_array_equal(row, column)


def test_masks_keep_class_ids_and_the_ignore_value(run):
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    targets = run(lambda x: pictures.masks_to_targets(x, 32), [encode(mask)])
    assert targets.dtype == np.int64
    np.testing.assert_array_equal(targets[0, ::16, ::16], mask)


def test_no_pictures_give_an_empty_batch():
    assert pictures.images_to_inputs(tf.constant([], tf.string), 32).shape == (0, 32, 32, 3)
