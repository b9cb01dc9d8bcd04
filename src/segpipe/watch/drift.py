"""Measures how far the pictures of a window lie from those of the training time, and where drift begins.

The distance of a number is the Jensen-Shannon divergence of its histograms, in bits; that of a category is the
L-infinity norm, the largest change of a share; TensorFlow Data Validation measures the same two. No distance is
"large" by itself: two samples of the same world differ too, the smaller the more. So the threshold is what windows of
this very size, drawn from the reference itself, exceed in any feature with the wanted false-alarm rate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Table = Mapping[str, Floats]
"""One column per feature, one row per picture."""

_BINS = 10
_MAX_DRAWS = 4_000_000
"""How many drawn rows memory holds at once: 32 MB."""


@dataclass(frozen=True)
class Feature:
    """How far one feature has moved.

    Attributes:
      name: as in "brightness" or "class_fraction/land".
      measure: "Jensen-Shannon" or "L-infinity".
      distance: between the window and the reference.
      threshold: more is drift.
      reference_mean: mean in the reference.
      window_mean: mean in the window.
    """

    name: str
    measure: str
    distance: float
    threshold: float
    reference_mean: float
    window_mean: float

    @property
    def drifted(self) -> bool:
        """Whether the window is another world, as far as this feature tells."""
        return self.distance > self.threshold


@dataclass(frozen=True)
class Drift:
    """All features of a window.

    Attributes:
      features: the most surprising first.
      false_alarm_rate: share of fresh windows, drawn from the reference, in which some feature passed its threshold.
      pictures: in the window.
    """

    features: tuple[Feature, ...]
    false_alarm_rate: float
    pictures: int


def compare(
    reference: list[Table], window: Table, false_alarm_rate: float = 0.01, resamples: int = 2000, seed: int = 0
) -> Drift:
    """Compares a window with the reference.

    Args:
      reference: tables of the training time; a table's rows are resampled together, so that features which move
        together are not counted as independent chances of a false alarm.
      window: the columns of all the tables.
      false_alarm_rate: wanted chance that a window of the same world shows drift in any feature.
      resamples: windows that are drawn to find the thresholds, and as many again to measure the rate.
      seed: of the drawing.

    Raises:
      ValueError: the window is empty.
    """
    pictures = len(next(iter(window.values())))
    if not pictures:
        raise ValueError("the window holds no picture.")
    rng = np.random.default_rng(seed)
    columns = [
        _Column(name, values, number) for number, table in enumerate(reference) for name, values in table.items()
    ]
    sizes = [len(next(iter(table.values()))) for table in reference]
    null = np.concatenate(
        [_null(columns, n, sizes[n], pictures, resamples, rng) for n in range(len(reference))], axis=1
    )
    mean, deviation = null.mean(axis=0), null.std(axis=0) + 1e-12
    # One scale for all features: how many standard deviations above what chance gives.
    limit = np.quantile(((null - mean) / deviation).max(axis=1), 1 - false_alarm_rate, method="higher")
    thresholds = mean + limit * deviation
    fresh = np.concatenate(
        [_null(columns, n, sizes[n], pictures, resamples, rng) for n in range(len(reference))], axis=1
    )
    features = [
        (
            (column.distance_of(window[column.name]) - mean[position]) / deviation[position],
            column.feature(window[column.name], float(thresholds[position])),
        )
        for position, column in enumerate(columns)
    ]
    features.sort(key=lambda scored: -scored[0])
    return Drift(tuple(feature for _, feature in features), float((fresh > thresholds).any(axis=1).mean()), pictures)


def jensen_shannon(p: Floats, q: Floats) -> Floats:
    """Divergence in bits, 0…1, of distributions [..., B] along the last axis.

    Lin, 1991, https://doi.org/10.1109/18.61115
    """
    middle = (p + q) / 2

    def divergence(from_: Floats) -> Floats:
        ratio = np.divide(from_, middle, out=np.ones_like(middle), where=(from_ > 0) & (middle > 0))
        return (from_ * np.log2(ratio)).sum(axis=-1)

    return np.maximum((divergence(p) + divergence(q)) / 2, 0.0)


def l_infinity(p: Floats, q: Floats) -> Floats:
    """Largest difference of two distributions [..., B] along the last axis."""
    return np.abs(p - q).max(axis=-1)


class _Column:
    """One feature of the reference, in bins of equal mass; a category, or a value that a tenth shares, has its own."""

    def __init__(self, name: str, values: Floats, table: int):
        self.name, self.table = name, table
        self._values = values
        self.categorical = name.startswith("dominant")
        self.measure: Callable[[Floats, Floats], Floats] = l_infinity if self.categorical else jensen_shannon
        if self.categorical:
            # The bins between and beside those of its categories are for others.
            self._edges = np.unique([values - 0.5, values + 0.5])
        else:
            quantiles = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
            # Of pictures that are all grey, colour would else be in the bin of grey.
            common = quantiles[[np.mean(values == one) >= 1 / _BINS for one in quantiles]]
            self._edges = np.unique([*quantiles, *np.nextafter(common, np.inf)])
        empty = np.flatnonzero(np.bincount(self.codes(), minlength=self.bins) == 0)
        self.unseen = int(empty[0]) if len(empty) else None

    def codes(self) -> NDArray[np.int64]:
        return np.searchsorted(self._edges, self._values, side="right")

    @property
    def bins(self) -> int:
        return len(self._edges) + 1

    def distance_of(self, window: Floats) -> float:
        return float(self.measure(self._shares(window), self._shares(self._values)))

    def feature(self, window: Floats, threshold: float) -> Feature:
        measure = "L-infinity" if self.categorical else "Jensen-Shannon"
        distance = self.distance_of(window)
        return Feature(self.name, measure, distance, threshold, float(self._values.mean()), float(window.mean()))

    def _shares(self, values: Floats) -> Floats:
        codes = np.searchsorted(self._edges, values, side="right")
        return np.bincount(codes, minlength=self.bins) / len(values)


def _null(
    columns: list[_Column], table: int, rows: int, pictures: int, resamples: int, rng: np.random.Generator
) -> Floats:
    """Distances [resamples, columns of the table] between windows and references that are both drawn anew.

    The reference is a sample as well; drawing only the windows would make thresholds too tight.
    """
    own = [column for column in columns if column.table == table]
    windows = _drawn(own, rows, pictures, resamples, rng)
    references = _drawn(own, rows, rows, resamples, rng)
    return np.stack(
        [column.measure(window, reference) for column, window, reference in zip(own, windows, references, strict=True)],
        axis=1,
    )


def _drawn(columns: list[_Column], rows: int, size: int, resamples: int, rng: np.random.Generator) -> list[Floats]:
    """Shares [resamples, bins] of each column in samples of `size` rows, drawn with replacement."""
    chunk = max(1, _MAX_DRAWS // size)
    shares: list[list[Floats]] = [[] for _ in columns]
    for start in range(0, resamples, chunk):
        number = min(chunk, resamples - start)
        drawn = rng.integers(0, rows, (number, size))
        for column, parts in zip(columns, shares, strict=True):
            codes = column.codes()[drawn]
            if column.unseen is not None:
                # The next picture may be the first of its bin: one in rows + 1, by Laplace's rule of succession.
                codes[rng.random(codes.shape) < 1 / (rows + 1)] = column.unseen
            cells = codes + column.bins * np.arange(number)[:, None]
            parts.append(np.bincount(cells.ravel(), minlength=number * column.bins).reshape(number, -1) / size)
    return [np.concatenate(parts) for parts in shares]
