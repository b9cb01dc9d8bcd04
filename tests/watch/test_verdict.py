import numpy as np
import pytest

from segpipe.watch import verdict
from segpipe.watch.drift import Drift, Feature
from segpipe.watch.retrain import HOLD, Policy, decide, note_start

HOUR_S = 3600.0
NOW_S = 1_700_000_000.0


def margins(rng: np.random.Generator, pictures: int, right: float) -> np.ndarray:
    """Two classes of 100 pixels each in every picture, of which about `right` are predicted right."""
    hits = rng.binomial(100, right, (pictures, 2))
    predicted = hits + (100 - hits[:, ::-1])
    return np.stack([hits, np.full_like(hits, 100), predicted], axis=1)


def moved(distance: float) -> Drift:
    return Drift((Feature("brightness", "Jensen-Shannon", distance, 0.05, 0.5, 0.4),), 0.01, 100)


def test_accuracy_is_the_difference_to_the_test_split_with_an_interval():
    rng = np.random.default_rng(0)
    found = verdict.accuracy(margins(rng, 60, 0.8), margins(rng, 200, 0.95), seed=0)
    # p right of two equal classes: IoU = p / (2 - p).
    assert found.mean_iou == pytest.approx(0.8 / 1.2, abs=0.01)
    assert found.test_mean_iou == pytest.approx(0.95 / 1.05, abs=0.01)
    assert found.difference.low < found.difference.value < found.difference.high < 0


def test_labels_decide_and_drift_alone_is_not_degradation():
    rng = np.random.default_rng(1)
    good = verdict.accuracy(margins(rng, 100, 0.95), margins(rng, 200, 0.95))
    bad = verdict.accuracy(margins(rng, 100, 0.8), margins(rng, 200, 0.95))

    def status(drift, measured):
        return verdict.judge(drift, measured, max_mean_iou_drop=0.05, min_pictures=30, pictures=100).status

    assert status(moved(0.01), None) == "ok"
    assert status(moved(0.2), None) == "drift"
    assert status(moved(0.2), good) == "drift"
    assert status(moved(0.01), bad) == "degraded"
    assert status(None, good) == "ok"
    assert status(None, None) == "too few"


def test_the_reasons_name_numbers():
    rng = np.random.default_rng(2)
    bad = verdict.accuracy(margins(rng, 100, 0.8), margins(rng, 200, 0.95))
    first, second = verdict.judge(moved(0.2), bad, 0.05, 30, 100).reasons
    assert "on 100 labelled pictures" in first
    assert second == (
        "brightness moved from 0.500 to 0.400 on average: Jensen-Shannon 0.200, chance gives up to 0.050."
    )


DEGRADED = verdict.Verdict("degraded", ("mean IoU fell.",))


def test_only_a_degraded_model_is_retrained(tmp_path):
    for status in ("ok", "drift", "too few"):
        assert not decide(verdict.Verdict(status, ()), tmp_path, Policy(), NOW_S).start
    assert decide(DEGRADED, tmp_path, Policy(), NOW_S).reason == "mean IoU fell."


def test_retraining_rests_and_stops_after_the_most_a_week(tmp_path):
    policy = Policy(cool_down_hours=24, max_per_week=2)
    note_start(tmp_path, NOW_S)
    soon = decide(DEGRADED, tmp_path, policy, NOW_S + 6 * HOUR_S)
    assert (soon.start, soon.reason) == (False, "it started 6.0 hours ago; 18.0 to go.")
    assert decide(DEGRADED, tmp_path, policy, NOW_S + 25 * HOUR_S).start
    note_start(tmp_path, NOW_S + 25 * HOUR_S)
    assert "2 times in seven days" in decide(DEGRADED, tmp_path, policy, NOW_S + 50 * HOUR_S).reason
    assert decide(DEGRADED, tmp_path, policy, NOW_S + 8 * 24 * HOUR_S).start


def test_a_person_can_hold_it(tmp_path):
    (tmp_path / HOLD).touch()
    held = decide(DEGRADED, tmp_path, Policy(), NOW_S)
    assert (held.start, "remove that file" in held.reason) == (False, True)
