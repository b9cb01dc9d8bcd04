import numpy as np
import pytest
from scipy import stats

from segpipe.metrics import confusion
from segpipe.metrics.bootstrap import intervals


def _pictures(count, accuracy, seed, spread=0.1):
    """Confusion counts of pictures whose share of right pixels varies around `accuracy`: int64 [N, 3, 2]."""
    rng = np.random.default_rng(seed)
    right = np.clip(rng.normal(accuracy, spread, (count, 2)), 0, 1)
    hits = (1000 * right).astype(int)
    matrices = np.stack(
        [np.stack([hits[:, 0], 1000 - hits[:, 0]], -1), np.stack([1000 - hits[:, 1], hits[:, 1]], -1)], 1
    )
    return confusion.margins(matrices)


def test_interval_agrees_with_scipys_bootstrap():
    margins = _pictures(60, 0.8, seed=1)

    def mean_iou(index, axis=-1):
        return confusion.mean_iou_of_margins(margins[index.astype(int)].sum(axis=-3))

    theirs = stats.bootstrap(
        (np.arange(60),), mean_iou, method="percentile", n_resamples=4000, rng=np.random.default_rng(5), vectorized=True
    ).confidence_interval
    ours = intervals(margins, None, resamples=4000).mean_iou
    assert ours.value == pytest.approx(confusion.mean_iou_of_margins(margins.sum(axis=0)))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.002)


def test_pairing_makes_the_difference_far_surer_than_either_score():
    champion = _pictures(100, 0.7, seed=2, spread=0.2)
    candidate = champion.copy()
    candidate[:, 0] = np.minimum(candidate[:, 0] + 20, 1000)
    result = intervals(candidate, champion)
    assert result.difference.low > 0
    assert result.difference.high - result.difference.low < 0.2 * (result.mean_iou.high - result.mean_iou.low)


def test_a_model_does_not_differ_from_itself():
    same = _pictures(30, 0.7, seed=3)
    assert intervals(same, same).difference.low == intervals(same, same).difference.high == 0


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    truth = float(confusion.mean_iou_of_margins(_pictures(200_000, 0.75, seed=9).sum(axis=0)))
    covered = [
        (lambda i: i.low <= truth <= i.high)(
            intervals(_pictures(80, 0.75, seed=100 + n), None, confidence=0.9, resamples=400).mean_iou
        )
        for n in range(150)
    ]
    assert 0.82 <= np.mean(covered) <= 0.97


def test_a_class_that_no_picture_has_gets_no_interval():
    margins = np.concatenate([_pictures(10, 0.8, seed=4), np.zeros((10, 3, 1), int)], axis=-1)
    result = intervals(margins, None, resamples=200)
    assert np.isnan(result.class_iou[2].low)
    assert len(result.class_iou) == 3


def test_many_pictures_are_drawn_in_parts_with_the_same_result(monkeypatch):
    margins = _pictures(50, 0.8, seed=5)
    whole = intervals(margins, None, resamples=300)
    monkeypatch.setattr("segpipe.metrics.bootstrap._CHUNK_NUMBERS", 50 * 7)
    assert intervals(margins, None, resamples=300) == whole
