"""Decodes and resizes pictures and masks to the tensors that the model sees: one path for training and serving."""

import tensorflow as tf


def decode_image(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes one JPEG or PNG (grey is repeated over the channels) into uint8 [H, W, 3]."""
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(image, [None, None, 3])


def resize_image(image: tf.Tensor, size: int) -> tf.Tensor:
    """Resizes uint8 [H, W, 3] to uint8 [size, size, 3]: bilinear, antialiased when shrinking, rounded to nearest."""
    resized = tf.image.resize(image, [size, size], method="bilinear", antialias=True)
    return tf.saturate_cast(tf.round(resized), tf.uint8)


def decode_mask(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes one PNG of one 8-bit channel into class ids, uint8 [H, W]."""
    return tf.io.decode_png(encoded, channels=1)[:, :, 0]


def resize_mask(mask: tf.Tensor, size: int) -> tf.Tensor:
    """Resizes uint8 [H, W] to uint8 [size, size] by the nearest pixel."""
    # Bilinear would invent a class between two classes.
    resized = tf.image.resize(mask[:, :, tf.newaxis], [size, size], method="nearest")
    return resized[:, :, 0]


def normalize(images: tf.Tensor) -> tf.Tensor:
    """Maps uint8 0…255 to float32 [-1, 1], the range that MobileNetV2's weights were trained on."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def denormalize(images: tf.Tensor) -> tf.Tensor:
    """Maps float32 [-1, 1] back to uint8 0…255: the exact inverse of `normalize`."""
    return tf.saturate_cast(tf.round((images + 1.0) * 127.5), tf.uint8)


def images_to_inputs(encoded: tf.Tensor, size: int) -> tf.Tensor:
    """Decodes, resizes and normalizes images.

    Args:
      encoded: string [N] or [N, 1], JPEG or PNG.
      size: side of the square in pixels.

    Returns:
      float32 [N, size, size, 3] in [-1, 1].
    """
    images = tf.map_fn(
        lambda one: resize_image(decode_image(one), size),
        tf.reshape(encoded, [-1]),
        fn_output_signature=tf.TensorSpec([size, size, 3], tf.uint8),
    )
    return normalize(images)


def masks_to_targets(encoded: tf.Tensor, size: int) -> tf.Tensor:
    """Decodes and resizes masks.

    Args:
      encoded: string [N] or [N, 1], PNG of one 8-bit channel.
      size: side of the square in pixels.

    Returns:
      int64 [N, size, size]: class ids, 255 where the pixel is ignored.
    """
    masks = tf.map_fn(
        lambda one: resize_mask(decode_mask(one), size),
        tf.reshape(encoded, [-1]),
        fn_output_signature=tf.TensorSpec([size, size], tf.uint8),
    )
    return tf.cast(masks, tf.int64)
