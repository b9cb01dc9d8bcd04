"""Joins features and skip connections at twice the size: the decoder's transposed convolution."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

Shape = tuple[int | None, ...]

FEW_FILTERS = 4
"""Up to here oneDNN's transposed convolution is slower than a plain one of 16/9 the work, by half with 3 filters."""


class JoiningConv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras' Conv2DTranspose, 3×3, of stride 2 and padding "same", over its inputs joined; with gradients of its own.

    Same weights and same meaning as Concatenate and Conv2DTranspose, but the gradient of each input is computed by
    itself, and only where it is wanted. That of a skip connection is not while the encoder is frozen: half the work.

    Args:
      filters: of the output.
      **settings: of keras.layers.Conv2DTranspose.
    """

    def __init__(self, filters: int, **settings: Any) -> None:
        super().__init__(filters, **{**settings, "kernel_size": 3, "strides": 2, "padding": "same"})
        self.input_spec = None  # Keras' is of one input.

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Makes the kernel for the channels of all inputs together."""
        super().build(_joined_shape(input_shape))
        self.input_spec = None

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """[N, 2H, 2W, filters]."""
        return tuple(super().compute_output_shape(_joined_shape(input_shape)))

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Maps a list of float [N, H, W, …] to float [N, 2H, 2W, filters]."""
        outputs = _transposed(tf.convert_to_tensor(self.kernel), *inputs)
        return tf.nn.bias_add(outputs, tf.convert_to_tensor(self.bias)) if self.use_bias else outputs

    def in_keras_own(self) -> keras.Model:
        """The same in layers of Keras alone, for a file that is to be read without segpipe; its weights are not set."""
        inputs = [keras.Input(one.shape[1:]) for one in keras.tree.flatten(self.input)]
        # A policy of its own: one that layers share gets a number in the file that differs from save to save.
        join = keras.layers.Concatenate(dtype=self.dtype_policy.name)
        joined = join(inputs) if len(inputs) > 1 else inputs[0]
        settings = super().get_config()
        outputs = keras.layers.Conv2DTranspose.from_config(settings)(joined)
        return keras.Model(inputs, outputs, name=self.name)


def _joined_shape(shapes: Sequence[Shape]) -> Shape:
    return (*shapes[0][:-1], sum(shape[-1] or 0 for shape in shapes))


@tf.custom_gradient
def _transposed(
    kernel: tf.Tensor, *inputs: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
    """The transposed convolution of the joined inputs by a kernel [3, 3, filters, sum of their channels]."""
    joined = tf.concat(inputs, -1)
    if kernel.shape[2] <= FEW_FILTERS:
        outputs = _by_phases(joined, kernel)
    else:
        count, height, width, _ = tf.unstack(tf.shape(joined))
        outputs = tf.nn.conv2d_transpose(joined, kernel, [count, 2 * height, 2 * width, kernel.shape[2]], 2, "SAME")

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # One convolution for each input: TensorFlow runs none whose result nobody asks for.
        parts = tf.split(kernel, [one.shape[-1] for one in inputs], -1)
        of_inputs = [tf.nn.conv2d(upstream, part, 2, "SAME") for part in parts]
        return (_kernel_gradient(joined, upstream, kernel.shape), *of_inputs)

    return outputs, gradients


def _by_phases(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The transposed convolution as a plain one of 2×2 that makes the four pixels of each place as channels.

    Shi et al. 2016, https://arxiv.org/abs/1609.07009.
    """
    filters, channels = kernel.shape[2:]
    # Row 2i + p of the output is row i by the kernel's row p, and row i - 1 by its row 2 + p: there is no row 3.
    taps = tf.reshape(tf.pad(kernel, [[0, 1], [0, 1], [0, 0], [0, 0]]), [2, 2, 2, 2, filters, channels])
    phases = tf.transpose(tf.reverse(taps, [0, 2]), [0, 2, 5, 1, 3, 4])
    plain = tf.reshape(phases, [2, 2, channels, 4 * filters])
    return tf.nn.depth_to_space(tf.nn.conv2d(images, plain, 1, [[0, 0], [1, 0], [1, 0], [0, 0]]), 2)


def _kernel_gradient(inputs: tf.Tensor, upstream: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """The gradient of the kernel by one matrix product, on a CPU twice as fast as oneDNN's own in bfloat16."""
    taps = tf.reshape(_taps(upstream), [-1, 9 * shape[2]])
    return tf.reshape(tf.matmul(taps, tf.reshape(inputs, [-1, shape[3]]), transpose_a=True), shape)


def _taps(images: tf.Tensor) -> tf.Tensor:
    """What each of the nine taps of a 3×3 kernel sees at stride 2: [N, 2H, 2W, C] → [N, H, W, 9·C]."""
    count, height, width, channels = images.shape
    pairs = tf.reshape(images, [-1 if count is None else count, height // 2, 2, width // 2, 2, channels])
    first, second = pairs[:, :, 0], pairs[:, :, 1]
    third = tf.pad(first[:, 1:], [[0, 0], [0, 1], [0, 0], [0, 0], [0, 0]])
    taps = []
    for row in (first, second, third):
        left, middle = row[:, :, :, 0], row[:, :, :, 1]
        taps += [left, middle, tf.pad(left[:, :, 1:], [[0, 0], [0, 0], [0, 1], [0, 0]])]
    return tf.concat(taps, -1)
