import numpy as np
import pytest

from segpipe.metrics.boundary import class_boundary_iou, tolerance_pixels
from segpipe.metrics.calibration import BINS, UNITS, expected_calibration_error, reliability


def _counts(bins):
    counts = np.zeros((3, BINS), np.int64)
    for number, (pixels, right, confidence) in bins.items():
        counts[:, number] = pixels, right, round(pixels * confidence * UNITS)
    return counts.reshape(-1)


def test_perfect_calibration_has_no_error():
    assert expected_calibration_error(_counts({14: (100, 95, 0.95), 7: (10, 5, 0.5)})) == pytest.approx(0)


def test_overconfidence_is_weighted_by_pixels():
    assert expected_calibration_error(_counts({14: (30, 15, 1.0), 7: (10, 5, 0.5)})) == pytest.approx(0.75 * 0.5)


def test_reliability_has_no_value_in_empty_bins():
    confidence, accuracy, share = reliability(_counts({14: (30, 15, 0.99), 3: (10, 0, 0.25)}))
    assert np.isnan(confidence[0])
    assert (confidence[14], accuracy[14], share[14]) == pytest.approx((0.99, 0.5, 0.75))
    assert accuracy[3] == 0


@pytest.mark.parametrize(("image_size", "pixels"), [(32, 1), (128, 4), (512, 14)])
def test_tolerance_is_two_percent_of_the_diagonal(image_size, pixels):
    assert tolerance_pixels(image_size) == pixels


def test_boundary_counts_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="3\\*K"):
        class_boundary_iou(np.zeros(4, int))
