import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from segpipe.metrics import confusion as cm


@st.composite
def truth_and_prediction(draw):
    """Flat truth (255 = ignore) and prediction over K classes, with classes that are often absent."""
    k = draw(st.sampled_from([1, 2, 3, 19, 150]))
    used = draw(st.lists(st.integers(0, k - 1), min_size=1, max_size=4))
    pixels = draw(st.integers(1, 60))
    truth = draw(st.lists(st.sampled_from([*used, 255]), min_size=pixels, max_size=pixels))
    prediction = draw(st.lists(st.sampled_from(used), min_size=pixels, max_size=pixels))
    return k, np.array(truth, np.uint8), np.array(prediction, np.uint8)


@given(truth_and_prediction())
@settings(max_examples=150, deadline=None)
def test_agrees_with_scikit_learn(case):
    k, truth, prediction = case
    matrix = cm.confusion_matrix(truth, prediction, k)
    judged = truth != 255
    t, p = truth[judged], prediction[judged]
    if not judged.any():
        assert matrix.sum() == 0
        for metric in (cm.mean_iou, cm.pixel_accuracy, cm.frequency_weighted_iou):
            assert np.isnan(metric(matrix))
        return
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(t, p, labels=range(k)))
    present = np.union1d(t, p)
    absent = np.setdiff1d(np.arange(k), present)
    iou = sk.jaccard_score(t, p, labels=present, average=None, zero_division=0)
    np.testing.assert_allclose(cm.class_iou(matrix)[present], iou)
    np.testing.assert_allclose(cm.mean_iou(matrix), iou.mean())
    np.testing.assert_allclose(
        cm.dice(matrix)[present], sk.f1_score(t, p, labels=present, average=None, zero_division=0)
    )
    np.testing.assert_allclose(cm.pixel_accuracy(matrix), sk.accuracy_score(t, p))
    np.testing.assert_allclose(
        cm.frequency_weighted_iou(matrix), sk.jaccard_score(t, p, labels=present, average="weighted", zero_division=0)
    )
    predicted, true = np.unique(p), np.unique(t)
    np.testing.assert_allclose(
        cm.precision(matrix)[predicted], sk.precision_score(t, p, labels=predicted, average=None, zero_division=0)
    )
    np.testing.assert_allclose(
        cm.recall(matrix)[true], sk.recall_score(t, p, labels=true, average=None, zero_division=0)
    )
    assert np.isnan(cm.class_iou(matrix)[absent]).all()
    assert np.isnan(cm.dice(matrix)[absent]).all()


def test_counts_are_exact_beyond_what_float32_holds():
    matrix = np.array([[2**24 + 1, 0], [1, 2**40 + 1]], np.int64)
    assert cm.class_iou(matrix)[0] == (2**24 + 1) / (2**24 + 2)
    assert cm.pixel_accuracy(matrix) == 1 - 1 / (2**24 + 2**40 + 3)
    assert int((matrix + matrix)[0, 0]) == 2**25 + 2


def test_leading_axes_are_kept():
    pictures = np.array([[[3, 1], [0, 4]], [[0, 0], [0, 0]], [[2, 0], [0, 0]]], np.int64)
    np.testing.assert_allclose(cm.mean_iou(pictures), [(3 / 4 + 4 / 5) / 2, np.nan, 1.0])
    assert cm.class_iou(pictures).shape == (3, 2)


def test_a_class_only_in_the_prediction_pulls_the_mean_down():
    assert cm.mean_iou(np.array([[8, 2], [0, 0]])) == pytest.approx(0.4)


def test_square_restores_the_matrix_and_refuses_what_is_none():
    np.testing.assert_array_equal(cm.square(np.arange(8).reshape(2, 4))[1], [[4, 5], [6, 7]])
    with pytest.raises(ValueError, match="K\\*K"):
        cm.square(np.arange(5))
    with pytest.raises(ValueError, match="integers"):
        cm.square(np.ones(4, np.float32))


def test_predictions_outside_the_classes_are_named():
    with pytest.raises(ValueError, match="0…1"):
        cm.confusion_matrix([0, 1], [0, 2], 2)


def test_not_a_matrix():
    with pytest.raises(ValueError, match="K, K"):
        cm.mean_iou(np.zeros((2, 3), np.int64))
