import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import confusion_matrix, jaccard_score

from segpipe.train import metrics


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    masks = rng.choice([0, 1, 2, 255], (3, 8, 8)).astype(np.uint8)
    logits = rng.normal(size=(3, 8, 8, 4)).astype(np.float32)
    logits[..., 3] = -9  # Class 3 is neither true nor guessed.
    return masks, logits


def test_counts_agree_with_scikit_learn(drawn):
    masks, logits = drawn
    counts = metrics.confusion(tf.constant(masks), tf.constant(logits)).numpy()
    judged = masks != 255
    expected = confusion_matrix(masks[judged], logits.argmax(-1)[judged], labels=range(4))
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, expected)


def test_iou_agrees_with_scikit_learn(drawn):
    masks, logits = drawn
    counts = metrics.confusion(tf.constant(masks), tf.constant(logits)).numpy()
    judged = masks != 255
    expected = jaccard_score(masks[judged], logits.argmax(-1)[judged], labels=range(3), average=None)
    np.testing.assert_allclose(metrics.class_iou(counts)[:3], expected)
    assert np.isnan(metrics.class_iou(counts)[3])
    assert metrics.mean_iou(counts) == pytest.approx(expected.mean())


def test_counts_stay_exact_past_the_24_bits_of_float32():
    counts = np.array([[2**24 + 1, 0], [1, 2**24]])
    assert metrics.class_iou(counts)[0] == (2**24 + 1) / (2**24 + 2)


def test_no_judged_pixel_scores_zero():
    assert metrics.mean_iou(np.zeros((3, 3), np.int64)) == 0
