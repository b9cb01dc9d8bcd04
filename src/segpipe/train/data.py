"""Decodes the pictures of TFRecord files once, into arrays in memory or, past a limit, on disk."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from segpipe import schema
from segpipe.errors import DataError, RunError
from segpipe.preprocess import pictures
from segpipe.progress import report

Transform = Callable[[dict[str, tf.Tensor]], Mapping[str, tf.Tensor]]
"""Raw features `image` and `mask`, string [N], → `image` float32 [N, S, S, 3] and `mask` int64 [N, S, S]."""

READ_BATCH = 32
DECODERS = min(os.cpu_count() or 1, 8)
"""Batches decoded at a time; each holds its pictures as floats, so machines with many cores would need much memory."""

FEATURES = {name: tf.io.FixedLenFeature([], tf.string) for name in (schema.IMAGE, schema.MASK)}


@dataclass(frozen=True)
class Pictures:
    """Pictures ready for training.

    Attributes:
      images: uint8 [N, S, S, 3].
      masks: uint8 [N, S, S], class ids or 255.
    """

    images: np.ndarray
    masks: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def class_pixels(self, num_classes: int) -> np.ndarray:
        """How many pixels each class has: int64 [K]."""
        counts = sum((np.bincount(mask.ravel(), minlength=256) for mask in self.masks), np.zeros(256, np.int64))
        return counts[:num_classes]


def load(
    files: Sequence[str],
    transform: Transform,
    image_size: int,
    cache_gb: float,
    name: str,
    workers: int = 1,
    worker: int = 0,
) -> Pictures:
    """Decodes and resizes every picture once.

    Args:
      files: gzip TFRecord files of Examples.
      transform: the graph that serving runs too.
      image_size: S, pixels.
      cache_gb: above this size the arrays lie in a temporary file that disappears with them.
      name: of the split, for messages.
      workers: how many share the pictures: whole files, or single pictures where there are fewer files.
      worker: which of them this is, from 0.

    Raises:
      DataError: there is no picture.
      RunError: neither memory nor disk has the room.
    """
    by_file = len(files) >= workers
    own = list(files[worker::workers]) if by_file else list(files)
    records = tf.data.TFRecordDataset(own, compression_type="GZIP")
    records = records if by_file else records.shard(workers, worker)
    count = sum(len(chunk) for chunk in _untuned(records.batch(1024)).as_numpy_iterator())
    if count == 0:
        raise DataError(f"the {name} split holds no picture; give it a larger share in [split].")
    images, masks = _allocate(count, image_size, cache_gb, name)
    decoded = records.batch(READ_BATCH).map(_compact(transform), num_parallel_calls=DECODERS).prefetch(2)
    done = 0
    for some_images, some_masks in _untuned(decoded).as_numpy_iterator():
        images[done : done + len(some_images)] = some_images
        masks[done : done + len(some_images)] = some_masks
        done += len(some_images)
        report(f"decode {name}", done, count)
    return Pictures(images, masks)


def resized(data: Pictures, side: int, cache_gb: float, name: str) -> Pictures:
    """The same pictures, smaller, as `preprocess` resizes; a mask keeps to its classes.

    Args:
      data: pictures and masks of one side.
      side: S, pixels.
      cache_gb: as for `load`.
      name: of the split, for messages.

    Raises:
      RunError: neither memory nor disk has the room.
    """
    images, masks = _allocate(len(data), side, cache_gb, name)
    for start in range(0, len(data), READ_BATCH):
        chosen = slice(start, start + READ_BATCH)
        images[chosen] = pictures.resize_image(data.images[chosen], side)
        masks[chosen] = tf.map_fn(lambda mask: pictures.resize_mask(mask, side), tf.constant(data.masks[chosen]))
        report(f"resize {name} to {side} px", min(start + READ_BATCH, len(data)), len(data))
    return Pictures(images, masks)


def batches(data: Pictures, batch_size: int, order: np.ndarray) -> tf.data.Dataset:
    """Batches of (images uint8 [B, S, S, 3], masks uint8 [B, S, S]) in the given order; the last may be smaller.

    B is known to the graph where no batch is smaller: workers then need not ask each other whether there is one more.
    """

    def generate() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            yield data.images[chosen], data.masks[chosen]

    side, count = data.images.shape[1], None if len(order) % batch_size else batch_size
    signature = (tf.TensorSpec([count, side, side, 3], tf.uint8), tf.TensorSpec([count, side, side], tf.uint8))
    return _untuned(tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(2))


def epoch_order(count: int, wanted: int, seed: int, epoch: int) -> np.ndarray:
    """A shuffle of all pictures that depends on seed and epoch alone, filled up to whole batches.

    Args:
      count: of pictures.
      wanted: of indices; past `count` they start again at the front of the shuffle.
      seed: of the run.
      epoch: from 0.
    """
    return np.resize(np.random.default_rng((seed, epoch)).permutation(count), wanted)


def _untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Turns off tf.data's search for better settings, which holds up the end of an iteration.

    Its thread looks again after 10 ms, 20 ms, 40 ms and so on, up to a minute. Told to stop, it may miss that and sleep
    on, and the iterator waits for it: an epoch of 11 s then takes 20.5 s (TensorFlow 2.21).
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _compact(transform: Transform) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Serialized Examples string [N] → images and masks as uint8: a fourth of the room, and not a bit lost."""

    def compact(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        transformed = transform(tf.io.parse_example(serialized, FEATURES))
        return pictures.denormalize(transformed[schema.IMAGE]), tf.cast(transformed[schema.MASK], tf.uint8)

    return compact


def _allocate(count: int, size: int, cache_gb: float, name: str) -> tuple[np.ndarray, np.ndarray]:
    gigabytes = count * size * size * 4 / 1e9
    if gigabytes <= cache_gb:
        return np.empty((count, size, size, 3), np.uint8), np.empty((count, size, size), np.uint8)
    folder = Path(tempfile.gettempdir())
    # Unlinked at once: the system frees the room when the process ends, however it ends.
    with tempfile.TemporaryFile(dir=folder) as images, tempfile.TemporaryFile(dir=folder) as masks:
        try:
            # Room that is only found missing when a page is touched would kill the process.
            os.posix_fallocate(images.fileno(), 0, count * size * size * 3)
            os.posix_fallocate(masks.fileno(), 0, count * size * size)
        except OSError as error:
            free_mb = shutil.disk_usage(folder).free / 1e6
            raise RunError(
                f"the {name} split needs {gigabytes * 1e3:,.1f} MB at {size} pixels, and {folder} has {free_mb:,.1f} "
                "left; free some, point TMPDIR to a larger disk, raise train.cache_gb if memory allows, or lower "
                "data.image_size."
            ) from error
        return (
            np.memmap(images, np.uint8, "w+", shape=(count, size, size, 3)),
            np.memmap(masks, np.uint8, "w+", shape=(count, size, size)),
        )
