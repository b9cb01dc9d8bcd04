import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from segpipe.preprocess import pictures
from segpipe.train.augment import augment

SIDE = 48


@pytest.fixture
def batch():
    """White squares (class 3) at many places on black (class 0)."""
    rng = np.random.default_rng(0)
    masks = np.zeros((16, SIDE, SIDE), np.uint8)
    for mask, (top, left) in zip(masks, rng.integers(4, 24, (16, 2)), strict=True):
        mask[top : top + 18, left : left + 18] = 3
    images = np.where(masks[..., None] == 3, 255, 0).astype(np.uint8).repeat(3, -1)
    return pictures.normalize(tf.constant(images)), tf.constant(masks)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), values=st.sets(st.integers(0, 255), min_size=1, max_size=4))
def test_masks_stay_valid_classes_and_images_in_range(seed, values):
    rng = np.random.default_rng(seed)
    masks = rng.choice(sorted(values), (2, 32, 32)).astype(np.uint8)
    images, moved = augment(tf.constant(rng.uniform(-1, 1, (2, 32, 32, 3)), tf.float32), masks, [0, seed])
    assert set(np.unique(moved)) <= values
    assert images.shape == (2, 32, 32, 3)
    assert moved.shape == (2, 32, 32)
    assert images.dtype == tf.float32
    assert moved.dtype == tf.uint8
    assert -1 <= float(tf.reduce_min(images)) <= float(tf.reduce_max(images)) <= 1


def test_image_and_mask_move_together(batch):
    images, masks = augment(*batch, [1, 2])
    white = images.numpy().mean(-1) > 0
    assert np.mean(white == (masks.numpy() == 3)) > 0.985  # All but rims that bilinear blurs.


def test_pictures_do_move_each_in_its_own_way(batch):
    images, masks = augment(*batch, [1, 2])
    changed = np.mean(masks.numpy() != batch[1].numpy(), axis=(1, 2))
    assert np.all(changed > 0.005)
    flipped = [np.mean(a != b[:, ::-1]) < np.mean(a != b) for a, b in zip(masks.numpy(), batch[1].numpy(), strict=True)]
    assert 0 < sum(flipped) < len(flipped)
    assert len({round(float(x), 4) for x in tf.reduce_max(images, [1, 2, 3])}) > 1


def test_the_seed_alone_decides(batch):
    once, again, other = augment(*batch, [5, 6]), augment(*batch, [5, 6]), augment(*batch, [5, 7])
    np.testing.assert_array_equal(once[0], again[0])
    np.testing.assert_array_equal(once[1], again[1])
    assert np.any(once[0] != other[0])


def test_it_does_the_same_inside_tf_data(batch):
    inside = next(iter(tf.data.Dataset.from_tensors(batch).map(lambda x, y: augment(x, y, tf.constant([5, 6])))))
    np.testing.assert_allclose(inside[0], augment(*batch, [5, 6])[0], atol=1e-5)
