import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, special
from sklearn.metrics import confusion_matrix

from segpipe.metrics import boundary, calibration
from segpipe.metrics.picture_counts import evaluation_outputs

SIZE = 32
RUNS = pytest.mark.parametrize("count", [evaluation_outputs, tf.function(evaluation_outputs)], ids=["eager", "graph"])


def _batch(pictures, num_classes, size=SIZE, seed=0, ignored=0.2):
    """Truth in blobs, as real masks are, and logits that mostly agree with it."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(pictures, size, size, num_classes)), (0, 4, 4, 0))
    truth = noise.argmax(-1)
    logits = (8 * noise + rng.normal(size=noise.shape)).astype(np.float32)
    truth[rng.random(truth.shape) < ignored] = 255
    return truth, logits


@RUNS
@pytest.mark.parametrize("num_classes", [1, 2, 3, 150])
def test_confusion_of_each_picture_agrees_with_scikit_learn(count, num_classes):
    truth, logits = _batch(3, num_classes)
    confusion = count(tf.constant(truth), tf.constant(logits))["confusion"]
    assert confusion.dtype == tf.int64
    assert confusion.shape == (3, num_classes**2)
    for counts, t, p in zip(confusion.numpy(), truth, logits.argmax(-1), strict=True):
        judged = t != 255
        expected = confusion_matrix(t[judged], p[judged], labels=range(num_classes))
        np.testing.assert_array_equal(counts.reshape(num_classes, num_classes), expected)


def _boundary_by_scipy(truth, prediction, num_classes, tolerance):
    """A class's pixels less its erosion by a square; ignored pixels count as any class wanted."""
    counts = np.zeros((3, num_classes), int)
    judged = truth != 255
    square = np.ones((2 * tolerance + 1,) * 2, bool)
    for c in range(num_classes):
        rims = []
        for classes in (truth, prediction):
            inside = (classes == c) & judged
            rims.append(inside & ~ndimage.binary_erosion(inside | ~judged, square, border_value=1))
        counts[:, c] = (rims[0] & rims[1]).sum(), rims[0].sum(), rims[1].sum()
    return counts


@st.composite
def cases(draw):
    """Truth and logits of two small pictures: blobs, specks or one class alone, a part of them ignored."""
    num_classes = draw(st.sampled_from([1, 2, 3, 7, 19, 150]))
    ignored = draw(st.sampled_from([0.0, 0.2, 0.6, 1.0]))
    truth, logits = _batch(2, num_classes, seed=draw(st.integers(0, 999)), ignored=ignored)
    match draw(st.sampled_from(["blobs", "specks", "one class in truth", "one class predicted"])):
        case "specks":
            logits = logits[:, :, ::-1] * 0.3
        case "one class in truth":
            truth = np.where(truth == 255, 255, num_classes - 1)
        case "one class predicted":
            logits[..., 0] += 100
    return num_classes, truth, logits


@RUNS
@given(case=cases())
@settings(max_examples=25, deadline=None)
def test_boundary_counts_agree_with_erosion_by_scipy(count, case):
    num_classes, truth, logits = case
    counts = count(tf.constant(truth), tf.constant(logits))["boundary"].numpy()
    for row, t, p in zip(counts, truth, logits.argmax(-1), strict=True):
        expected = _boundary_by_scipy(t, p, num_classes, boundary.tolerance_pixels(SIZE))
        np.testing.assert_array_equal(row.reshape(3, num_classes), expected)
        both, in_truth, in_prediction = expected
        union = in_truth + in_prediction - both
        iou = [b / u if u else np.nan for b, u in zip(both, union, strict=True)]
        np.testing.assert_allclose(boundary.class_boundary_iou(row), iou)
        np.testing.assert_allclose(boundary.mean_boundary_iou(row), np.nanmean(iou) if union.any() else np.nan)


@RUNS
@given(case=cases())
@settings(max_examples=25, deadline=None)
def test_calibration_error_agrees_with_its_definition(count, case):
    _, truth, logits = case
    counts = count(tf.constant(truth), tf.constant(logits))["calibration"].numpy().sum(axis=0)
    judged = truth != 255
    probability = special.softmax(logits.astype(np.float64), axis=-1)[judged]
    confidence, right = probability.max(-1), probability.argmax(-1) == truth[judged]
    assert counts[: calibration.BINS].sum() == judged.sum()
    if not judged.any():
        assert np.isnan(calibration.expected_calibration_error(counts))
        return
    bins = np.minimum((confidence * calibration.BINS).astype(int), calibration.BINS - 1)
    error = sum(
        (bins == b).mean() * abs(right[bins == b].mean() - confidence[bins == b].mean()) for b in np.unique(bins)
    )
    assert calibration.expected_calibration_error(counts) == pytest.approx(error, abs=1e-4)


def test_a_picture_without_truth_counts_nothing():
    _, logits = _batch(2, 3)
    outputs = evaluation_outputs(tf.fill([2, SIZE, SIZE], tf.constant(255, tf.int64)), tf.constant(logits))
    assert {name: int(tf.reduce_sum(counts)) for name, counts in outputs.items()} == dict.fromkeys(outputs, 0)


def test_any_number_of_pictures_passes_one_traced_graph():
    spec = [tf.TensorSpec([None, SIZE, SIZE], tf.int64), tf.TensorSpec([None, SIZE, SIZE, 3], tf.float32)]
    traced = tf.function(evaluation_outputs, input_signature=spec)
    for pictures in (0, 1, 5):
        truth, logits = _batch(pictures, 3)
        assert traced(tf.constant(truth), tf.constant(logits))["confusion"].shape == (pictures, 9)
    assert traced.experimental_get_tracing_count() == 1


def test_sums_over_pictures_are_counts_of_the_whole():
    truth, logits = _batch(4, 3)
    single = evaluation_outputs(tf.constant(truth), tf.constant(logits))
    for name, counts in evaluation_outputs(tf.constant(truth[::-1]), tf.constant(logits[::-1])).items():
        np.testing.assert_array_equal(counts[::-1], single[name])
