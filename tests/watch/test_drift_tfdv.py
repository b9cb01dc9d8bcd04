"""The two distances are those of TensorFlow Data Validation; its bins are those of its own histograms."""

import numpy as np
import pandas as pd
import pytest

import segpipe.pipeline  # noqa: F401 — makes the next import possible.

# isort: split
import tensorflow_data_validation as tfdv

from segpipe.watch import drift


@pytest.fixture(scope="module")
def worlds() -> list[pd.DataFrame]:
    rng = np.random.default_rng(0)
    return [
        pd.DataFrame(
            {"brightness": rng.normal(light, 0.1, 400), "dominant": rng.choice(["sea", "land"], 400, p=shares)}
        )
        for light, shares in ((0.5, (0.6, 0.4)), (0.45, (0.4, 0.6)))
    ]


@pytest.fixture(scope="module")
def statistics(worlds):
    return [tfdv.generate_statistics_from_dataframe(world, n_jobs=1) for world in worlds]


@pytest.fixture(scope="module")
def measured(statistics) -> dict[str, float]:
    before, now = statistics
    schema = tfdv.infer_schema(before)
    tfdv.get_feature(schema, "brightness").drift_comparator.jensen_shannon_divergence.threshold = 1e-4
    tfdv.get_feature(schema, "dominant").drift_comparator.infinity_norm.threshold = 1e-4
    found = tfdv.validate_statistics(now, schema, previous_statistics=before)
    return {info.path.step[0]: info.drift_measurements[0].value for info in found.drift_skew_info}


def test_l_infinity_is_the_same(worlds, measured):
    p, q = (np.array([(world.dominant == name).mean() for name in ("sea", "land")]) for world in worlds)
    assert drift.l_infinity(p, q) == pytest.approx(measured["dominant"])


def test_jensen_shannon_is_the_same_on_the_same_bins(statistics, measured):
    histograms = [
        next(f for f in one.datasets[0].features if f.path.step[0] == "brightness").num_stats.histograms[0].buckets
        for one in statistics
    ]
    edges = np.unique([end for buckets in histograms for b in buckets for end in (b.low_value, b.high_value)])

    def shares(buckets) -> np.ndarray:
        """Counts below each edge, straight lines between the histogram's own edges, as differences."""
        own = [buckets[0].low_value, *(bucket.high_value for bucket in buckets)]
        below = np.interp(edges, own, np.concatenate([[0], np.cumsum([bucket.sample_count for bucket in buckets])]))
        return np.diff(below) / below[-1]

    assert drift.jensen_shannon(*map(shares, histograms)) == pytest.approx(measured["brightness"], rel=1e-6)
