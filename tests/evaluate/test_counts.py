import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import confusion_matrix

from segpipe.evaluate.counts import evaluation_outputs


def _batch(pictures, num_classes, size=8, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, num_classes, (pictures, size, size))
    truth[rng.random(truth.shape) < 0.2] = 255
    return truth, rng.normal(size=(pictures, size, size, num_classes)).astype(np.float32)


@pytest.mark.parametrize("run", [lambda f: f, tf.function], ids=["eager", "graph"])
@pytest.mark.parametrize("num_classes", [2, 3, 150])
def test_confusion_of_each_picture_agrees_with_scikit_learn(run, num_classes):
    truth, logits = _batch(3, num_classes)
    confusion = run(evaluation_outputs)(tf.constant(truth), tf.constant(logits))["confusion"]
    assert confusion.dtype == tf.int64
    assert confusion.shape == (3, num_classes**2)
    for counts, t, p in zip(confusion.numpy(), truth, logits.argmax(-1), strict=True):
        judged = t != 255
        expected = confusion_matrix(t[judged], p[judged], labels=range(num_classes))
        np.testing.assert_array_equal(counts.reshape(num_classes, num_classes), expected)


def test_a_picture_without_truth_counts_nothing():
    _, logits = _batch(2, 3)
    confusion = evaluation_outputs(tf.fill([2, 8, 8], tf.constant(255, tf.int64)), tf.constant(logits))["confusion"]
    np.testing.assert_array_equal(confusion, np.zeros((2, 9)))


def test_any_number_of_pictures_passes_one_traced_graph():
    spec = [tf.TensorSpec([None, 8, 8], tf.int64), tf.TensorSpec([None, 8, 8, 3], tf.float32)]
    traced = tf.function(evaluation_outputs, input_signature=spec)
    for pictures in (0, 1, 5):
        truth, logits = _batch(pictures, 3)
        assert traced(tf.constant(truth), tf.constant(logits))["confusion"].shape == (pictures, 9)
    assert traced.experimental_get_tracing_count() == 1
