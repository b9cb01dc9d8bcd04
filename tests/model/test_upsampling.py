import keras
import numpy as np
import pytest
import tensorflow as tf

from segpipe.model.upsampling import FEW_FILTERS, JoiningConv2DTranspose


@pytest.fixture(params=[1, FEW_FILTERS, 5])
def layers(request):
    """Keras' layer and ours with the same weights."""
    keras.utils.set_random_seed(0)
    filters = request.param
    ours, theirs = JoiningConv2DTranspose(filters), keras.layers.Conv2DTranspose(filters, 3, 2, padding="same")
    ours.build([(None, 4, 6, 3), (None, 4, 6, 2)])
    theirs.build((None, 4, 6, 5))
    weights = [ours.get_weights()[0], np.arange(filters, dtype=np.float32)]
    for layer in (ours, theirs):
        layer.set_weights(weights)
    return ours, theirs


@pytest.fixture
def inputs():
    rng = np.random.default_rng(0)
    return [tf.constant(rng.normal(size=(2, 4, 6, channels)), tf.float32) for channels in (3, 2)]


@pytest.mark.parametrize("compiled", [False, True])
def test_outputs_and_gradients_agree_with_keras(layers, inputs, compiled):
    ours, theirs = layers

    def judge(layer, joined):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(tf.concat(inputs, -1) if joined else inputs)
            loss = tf.reduce_sum(outputs**3)
        return outputs, tape.gradient(loss, [*inputs, layer.kernel.value, layer.bias.value])

    run = tf.function(judge) if compiled else judge
    (outputs, gradients), (expected, expected_gradients) = run(ours, False), run(theirs, True)
    assert outputs.shape == (2, 8, 12, ours.filters)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_one_input_is_enough():
    layer = JoiningConv2DTranspose(5)
    symbol = layer([keras.KerasTensor((None, 4, 6, 3))])
    assert symbol.shape == (None, 8, 12, 5)
    assert layer([tf.ones((1, 4, 6, 3))]).shape == (1, 8, 12, 5)


def test_a_gradient_that_nobody_asks_for_is_not_computed(layers, inputs):
    ours, _ = layers

    @tf.function
    def learn(x, skip):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([x, ours.kernel.value])
            loss = tf.reduce_sum(ours([x, skip]) ** 2)
        return tape.gradient(loss, [x, ours.kernel.value])

    graph = learn.get_concrete_function(*inputs).graph
    run = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [one.op.name for one in graph.outputs])
    convolutions = [node.op for node in run.node].count("Conv2D") - (ours.filters <= FEW_FILTERS)
    assert convolutions == 1  # The second is traced, and runs for no output.
