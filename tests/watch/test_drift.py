import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from segpipe.watch import drift


def world(rng: np.random.Generator, pictures: int, brightness: float = 0.5) -> dict:
    """Correlated features, as real ones are."""
    light = rng.normal(brightness, 0.1, pictures)
    return {"brightness": light, "contrast": 0.2 + 0.3 * light + rng.normal(0, 0.02, pictures)}


def predictions(rng: np.random.Generator, pictures: int, land: float = 0.5) -> dict:
    share = rng.beta(8 * land, 8 * (1 - land), pictures)
    return {"predicted_fraction/land": share, "dominant_class": (share > 0.5).astype(float)}


def test_the_divergence_is_scipys_squared_distance_in_bits():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(6), 5), rng.dirichlet(np.ones(6), 5)
    p[0, :3] = 0
    p[0] /= p[0].sum()
    np.testing.assert_allclose(drift.jensen_shannon(p, q), jensenshannon(p, q, base=2, axis=-1) ** 2, atol=1e-12)
    assert drift.jensen_shannon(np.array([1.0, 0]), np.array([0, 1.0])) == 1
    assert drift.l_infinity(np.array([0.2, 0.8]), np.array([0.5, 0.5])) == pytest.approx(0.3)


@pytest.mark.parametrize("pictures", [40, 300])
def test_false_alarms_come_as_often_as_asked_on_windows_of_the_same_world(pictures):
    rng = np.random.default_rng(1)
    alarms, measured = [], []
    for seed in range(80):
        reference = [world(rng, 600), predictions(rng, 400)]
        window = {**world(rng, pictures), **predictions(rng, pictures)}
        found = drift.compare(reference, window, false_alarm_rate=0.05, resamples=300, seed=seed)
        alarms.append(any(feature.drifted for feature in found.features))
        measured.append(found.false_alarm_rate)
    assert 0.03 < np.mean(measured) < 0.08
    assert 0.0 <= np.mean(alarms) < 0.13  # 5 % wanted; 80 windows tell it to ± 5 points


def test_a_darker_world_is_found_and_named_first():
    rng = np.random.default_rng(2)
    found = drift.compare(
        [world(rng, 600), predictions(rng, 400)], {**world(rng, 100, brightness=0.42), **predictions(rng, 100)}
    )
    assert [feature.name for feature in found.features if feature.drifted] == ["brightness", "contrast"]
    assert found.features[0].reference_mean == pytest.approx(0.5, abs=0.02)
    assert found.features[0].window_mean == pytest.approx(0.42, abs=0.03)


def test_a_shift_of_predictions_is_found_by_share_and_by_dominant_class():
    rng = np.random.default_rng(3)
    found = drift.compare(
        [world(rng, 600), predictions(rng, 400)], {**world(rng, 100), **predictions(rng, 100, land=0.8)}
    )
    drifted = {feature.name: feature.measure for feature in found.features if feature.drifted}
    assert drifted == {"predicted_fraction/land": "Jensen-Shannon", "dominant_class": "L-infinity"}


@pytest.mark.parametrize("known", [[0.0], [0.0, 2.0], [1.0, 3.0]])
def test_a_dominant_class_that_was_never_seen_before_is_drift(known):
    reference = [{"dominant_class": np.resize(known, 400)}]
    for unseen in {0.0, 1.0, 2.0, 3.0, 4.0} - set(known):
        found = drift.compare(reference, {"dominant_class": np.full(60, unseen)})
        assert found.features[0].distance == 1.0
        assert found.features[0].drifted


@pytest.mark.parametrize("name", ["dominant_class", "saturation"])
def test_a_single_picture_of_a_new_kind_is_none(name):
    found = drift.compare([{name: np.zeros(200)}], {name: np.array([0.0] * 99 + [1.0])})
    assert found.features[0].distance > 0
    assert not found.features[0].drifted
    assert found.false_alarm_rate < 0.02


@pytest.mark.parametrize("seen", [0, 32])
def test_a_number_that_nearly_all_pictures_share_drifts_to_either_side(seen):
    water = np.zeros(400)
    water[:seen] = np.linspace(0.01, 0.3, seen)
    for moved in (-0.5, 0.8):
        found = drift.compare([{"predicted_fraction/water": water}], {"predicted_fraction/water": np.full(60, moved)})
        assert found.features[0].distance > 0.5
        assert found.features[0].drifted


def test_a_constant_feature_and_a_lone_picture_are_no_error():
    constant = [{"saturation": np.zeros(50)}]
    found = drift.compare(constant, {"saturation": np.zeros(1)})
    assert not found.features[0].drifted
    with pytest.raises(ValueError, match="no picture"):
        drift.compare(constant, {"saturation": np.zeros(0)})
