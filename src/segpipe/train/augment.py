"""Augments a batch at random, by a seed; a mask follows its picture, and no class is invented.

One projective resampling does flip, scale, crop, shift and rotation at once. It is a function of the seed, not of a
layer's hidden state, so that a resumed run sees what an unbroken one would have seen.
"""

import math

import tensorflow as tf

MAX_ROTATION = math.radians(15)
MIN_SCALE, MAX_SCALE = 0.75, 1.25  # of the visible part: below 1 zooms in
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.2, 0.3


def augment(images: tf.Tensor, masks: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Augments a batch.

    Args:
      images: float32 [N, S, S, 3] in [-1, 1].
      masks: uint8 [N, S, S].
      seed: int32 [2]; the same seed gives the same result.

    Returns:
      Tensors of the same shapes, types and ranges.
    """
    seeds = tf.unstack(tf.random.split(seed, 2))
    images, masks = _move(images, masks, seeds[0])
    return _recolour(images, seeds[1]), masks


def _move(images: tf.Tensor, masks: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    transforms = _transforms(tf.shape(images)[0], images.shape[1], seed)
    moved = _resample(images, transforms, "BILINEAR")
    # Bilinear would invent a class between two classes.
    moved_masks = _resample(masks[..., tf.newaxis], transforms, "NEAREST")
    return moved, moved_masks[..., 0]


def _resample(images: tf.Tensor, transforms: tf.Tensor, interpolation: str) -> tf.Tensor:
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=images.shape[1:3],
        fill_value=0.0,
        interpolation=interpolation,
        fill_mode="REFLECT",
    )


def _transforms(count: tf.Tensor, side: int, seed: tf.Tensor) -> tf.Tensor:
    """Rows of ImageProjectiveTransformV3, float32 [N, 8], that turn, scale and flip about a randomly shifted centre."""
    draws = tf.unstack(tf.random.stateless_uniform([5, count], seed))
    angle = (2 * draws[0] - 1) * MAX_ROTATION
    scale = MIN_SCALE + draws[1] * (MAX_SCALE - MIN_SCALE)
    flip = tf.where(draws[2] < 0.5, -1.0, 1.0)
    # A smaller view may lie anywhere in the picture, a larger one shows all of it.
    room = tf.maximum(1 - scale, 0.1) * side / 2
    shift_x, shift_y = (2 * draws[3] - 1) * room, (2 * draws[4] - 1) * room
    centre = (side - 1) / 2
    a, b = flip * scale * tf.cos(angle), -scale * tf.sin(angle)
    c, d = flip * scale * tf.sin(angle), scale * tf.cos(angle)
    zero = tf.zeros_like(angle)
    rows = [
        a,
        b,
        centre + shift_x - a * centre - b * centre,
        c,
        d,
        centre + shift_y - c * centre - d * centre,
        zero,
        zero,
    ]
    return tf.stack(rows, axis=1)


def _recolour(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    draws = tf.random.stateless_uniform([3, tf.shape(images)[0], 1, 1, 1], seed, -1.0, 1.0)
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images = grey + (images - grey) * (1 + SATURATION * draws[0])
    images = images * (1 + CONTRAST * draws[1]) + BRIGHTNESS * draws[2]
    return tf.clip_by_value(images, -1.0, 1.0)
