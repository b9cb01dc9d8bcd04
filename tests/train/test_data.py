import numpy as np
import pytest
import tensorflow as tf

from segpipe.errors import DataError
from segpipe.train import data
from tests.train.conftest import SIZE, example, transform


def test_every_picture_is_read_once_and_not_a_bit_is_lost(files):
    loaded = data.load(files[0], transform, SIZE, cache_gb=1, name="train")
    rng = np.random.default_rng(0)
    expected = [example(rng) for _ in range(20)]
    assert len(loaded) == 20
    for index, (image, mask) in enumerate(expected):
        np.testing.assert_array_equal(loaded.images[index], tf.io.decode_png(image))
        np.testing.assert_array_equal(loaded.masks[index], tf.io.decode_png(mask)[..., 0])


def test_past_the_limit_the_pictures_lie_on_disk_and_are_the_same(files):
    in_memory = data.load(files[0], transform, SIZE, cache_gb=1, name="train")
    on_disk = data.load(files[0], transform, SIZE, cache_gb=0, name="train")
    assert isinstance(on_disk.images, np.memmap)
    np.testing.assert_array_equal(on_disk.images, in_memory.images)
    np.testing.assert_array_equal(on_disk.masks, in_memory.masks)


def test_an_empty_split_is_named(tmp_path):
    path = str(tmp_path / "none.gz")
    tf.io.TFRecordWriter(path, options="GZIP").close()
    with pytest.raises(DataError, match="the eval split holds no picture"):
        data.load([path], transform, SIZE, cache_gb=1, name="eval")


def test_class_pixels_leave_ignored_ones_out():
    masks = np.array([[[0, 1], [1, 255]], [[1, 2], [255, 255]]], np.uint8)
    pictures = data.Pictures(np.zeros((2, 2, 2, 3), np.uint8), masks)
    assert pictures.class_pixels(4).tolist() == [1, 3, 1, 0]


@pytest.mark.parametrize(("count", "wanted"), [(20, 24), (16, 16), (3, 8)])
def test_an_epoch_shows_every_picture_before_any_comes_again(count, wanted):
    order = data.epoch_order(count, wanted, seed=1, epoch=0)
    assert len(order) == wanted
    assert set(order[:count]) == set(range(count))


def test_epochs_are_shuffled_differently_and_reproducibly():
    first, second = (data.epoch_order(50, 50, seed=1, epoch=epoch) for epoch in (0, 1))
    assert first.tolist() != second.tolist()
    assert first.tolist() == data.epoch_order(50, 50, seed=1, epoch=0).tolist()


@pytest.mark.parametrize("copies", [1, 3])
def test_workers_share_the_pictures_by_file_or_else_one_by_one(files, copies):
    paths = files[1] * copies
    shares = [data.load(paths, transform, SIZE, 1, "eval", workers=2, worker=index) for index in range(2)]
    assert sum(len(share) for share in shares) == 7 * copies
    assert all(len(share) in ((3, 4) if copies == 1 else (7, 14)) for share in shares)


def test_batches_follow_the_order_and_the_last_may_be_smaller(files):
    loaded = data.load(files[1], transform, SIZE, cache_gb=1, name="eval")
    order = np.array([6, 5, 4, 3, 2, 1, 0])
    images, masks = zip(*data.batches(loaded, 4, order).as_numpy_iterator(), strict=True)
    assert [len(batch) for batch in images] == [4, 3]
    np.testing.assert_array_equal(np.concatenate(images), loaded.images[::-1])
    np.testing.assert_array_equal(np.concatenate(masks), loaded.masks[::-1])


def test_no_thread_of_tf_data_holds_up_the_end_of_an_epoch(files):
    loaded = data.load(files[1], transform, SIZE, cache_gb=1, name="eval")
    # Its search for better settings does so by chance alone: seconds here, in one epoch of three.
    assert data.batches(loaded, 4, np.arange(7)).options().autotune.enabled is False
