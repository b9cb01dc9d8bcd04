"""Renders a look at a window as one self-contained HTML page with the trends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jinja2
import numpy as np

from segpipe.serve.request_log import Kept
from segpipe.watch import features
from segpipe.watch.reference import Reference

if TYPE_CHECKING:
    from segpipe.watch.window import Watched

_WIDTH, _HEIGHT = 300, 90


@dataclass(frozen=True)
class Trend:
    """One small drawing: daily means over the band of the training time.

    Attributes:
      name: of the feature.
      first: day.
      last: day.
      points: "x,y" of each day.
      band_top: of the band, in pixels.
      band_height: of the band, in pixels.
      latest: mean of the last day.
      usual: the band's lower and upper end.
    """

    name: str
    first: str
    last: str
    points: tuple[str, ...]
    band_top: float
    band_height: float
    latest: float
    usual: tuple[float, float]


def render(
    name: str,
    watched: "Watched",
    expected: Reference,
    by_day: Mapping[str, Sequence[Kept]],
    classes: Sequence[str],
) -> str:
    """Draws the page.

    Args:
      name: of the run.
      watched: what was found.
      expected: what the training time leads to expect.
      by_day: every kept request of the deployed version by its day.
      classes: names, in the order of the class ids.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("segpipe.watch"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("watch.html.j2").render(
        name=name, watched=watched, trends=_trends(expected, by_day, classes)
    )


def _trends(expected: Reference, by_day: Mapping[str, Sequence[Kept]], classes: Sequence[str]) -> list[Trend]:
    if not by_day:
        return []
    tables = [features.of_kept(kept, classes, expected.embedding) for kept in by_day.values()]
    days = list(by_day)
    trends = []
    for name, values in (column for table in expected.tables for column in table.items()):
        if name == features.DOMINANT:
            continue
        low, high = np.quantile(values, [0.05, 0.95])
        means = [float(table[name].mean()) for table in tables]
        bottom, top = min(low, *means), max(high, *means)
        margin = (top - bottom) * 0.08 or 0.5
        scale = _HEIGHT / (top - bottom + 2 * margin)

        def y(value: float, top: float = top + margin, scale: float = scale) -> float:
            return round((top - value) * scale, 1)

        step = _WIDTH / max(1, len(days))
        points = tuple(f"{(number + 0.5) * step:.1f},{y(mean)}" for number, mean in enumerate(means))
        height = round(y(low) - y(high), 1)
        trends.append(Trend(name, days[0], days[-1], points, y(high), height, means[-1], (float(low), float(high))))
    return trends
