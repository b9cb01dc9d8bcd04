import keras
import numpy as np
import pytest
import tensorflow as tf

from segpipe.model.normalization import FusedBatchNormalization, fuse_normalization


@pytest.fixture
def layers():
    """Keras' layer and ours with the same weights."""
    rng = np.random.default_rng(0)
    pair = keras.layers.BatchNormalization(momentum=0.8), FusedBatchNormalization(momentum=0.8)
    weights = [rng.uniform(0.5, 2, 4) for _ in range(4)]
    for layer in pair:
        layer.build((None, 5, 5, 4))
        layer.set_weights(weights)
    return pair


@pytest.fixture
def inputs():
    return tf.constant(np.random.default_rng(1).normal(3, 2, (64, 5, 5, 4)), tf.float32)


def test_inference_agrees_with_keras(layers, inputs):
    keras_layer, fused = layers
    np.testing.assert_allclose(fused(inputs, training=False), keras_layer(inputs, training=False), rtol=1e-4, atol=1e-5)


def test_training_agrees_with_keras_in_outputs_gradients_and_statistics(layers, inputs):
    gradients, outputs = [], []
    for layer in layers:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output = layer(inputs, training=True)
            loss = tf.reduce_sum(output**3)
        outputs.append(output)
        gradients.append(tape.gradient(loss, [inputs, layer.gamma.value, layer.beta.value]))
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-3, atol=1e-4)
    for ours, theirs in zip(gradients[1], gradients[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(layers[1].moving_mean, layers[0].moving_mean, rtol=1e-5)
    # The fused kernel divides by n - 1, Keras by n; here n is 1,600.
    np.testing.assert_allclose(layers[1].moving_variance, layers[0].moving_variance, rtol=1e-3)


def test_frozen_statistics_are_used_and_kept_in_training(layers, inputs):
    fused = layers[1]
    fused.trainable = False
    before = fused.get_weights()
    np.testing.assert_array_equal(fused(inputs, training=True), fused(inputs, training=False))
    for ours, kept in zip(fused.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, kept)


@pytest.mark.parametrize(
    "convolution",
    [
        keras.layers.Conv2D(6, 3, 2, padding="same", use_bias=False),
        keras.layers.DepthwiseConv2D(3, 2, padding="same", use_bias=False),
        keras.layers.DepthwiseConv2D(3, use_bias=False),
    ],
)
def test_a_convolution_is_scaled_by_its_filters(convolution, inputs):
    rng = np.random.default_rng(0)
    channels = convolution(inputs).shape[-1]
    fused = FusedBatchNormalization()
    fused.build((None, 5, 5, channels))
    fused.set_weights([rng.uniform(0.5, 2, channels) for _ in range(4)])
    fused.trainable = False

    @tf.function
    def learn(images):
        with tf.GradientTape() as tape:
            outputs = fused(convolution(images), training=True)
            loss = tf.reduce_sum(outputs**2)
        return outputs, tape.gradient(loss, convolution.kernel.value)

    with tf.GradientTape() as tape:
        expected = fused(convolution(inputs), training=True)  # Eagerly, the convolution's outputs are scaled.
        loss = tf.reduce_sum(expected**2)
    outputs, gradient = learn(inputs)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(gradient, tape.gradient(loss, convolution.kernel.value), rtol=1e-3, atol=1e-2)

    graph = learn.get_concrete_function(inputs).graph
    run = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [graph.outputs[0].op.name])
    assert sum(node.op in ("Conv2D", "DepthwiseConv2dNative") for node in run.node) == 1


def encoder():
    keras.utils.set_random_seed(0)
    return keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)


def test_a_model_of_keras_answers_alike_when_fused():
    network, fused = encoder(), fuse_normalization(encoder())
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    assert not any(type(layer) is keras.layers.BatchNormalization for layer in fused.layers)
    np.testing.assert_allclose(fused(picture), network(picture), atol=1e-4)
