"""Everything known of a run, as one value: what `report_page.py` turns into the page that a person reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpipe.evaluate.gate import Verdict
from segpipe.evaluate.scores import Scores
from segpipe.evaluate.slices import SliceScore
from segpipe.ingest.bad_picture import Offender
from segpipe.metrics.bootstrap import Intervals


@dataclass(frozen=True)
class Sample:
    """One picture to look at.

    Attributes:
      id: of the Example.
      image: uint8 [H, W, 3], RGB.
      truth: uint8 [H, W], class ids, 255 = ignore.
      prediction: uint8 [H, W], class ids.
      mean_iou: of this picture alone, or None.
    """

    id: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    mean_iou: float | None = None


@dataclass(frozen=True)
class Gallery:
    """The pictures of a split that are worth a look.

    Attributes:
      worst: the lowest mean IoU first.
      typical: from the best to the worst.
      by_class: of each class, those that lose the most of its pixels; classes without an error are left out.
    """

    worst: Sequence[Sample] = ()
    typical: Sequence[Sample] = ()
    by_class: Mapping[str, Sequence[Sample]] = field(default_factory=dict)

    def samples(self) -> Iterator[Sample]:
        """Every picture, some of them more than once."""
        return chain(self.worst, self.typical, *self.by_class.values())


@dataclass(frozen=True)
class Statistic:
    """A number of the pictures of one split: brightness, say."""

    feature: str
    split: str
    mean: float
    std: float
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Component:
    """What one component of the pipeline cost: its state ("done", "reused" …), wall seconds and peak memory."""

    name: str
    status: str
    seconds: float
    peak_rss_mb: float | None = None


@dataclass(frozen=True)
class Report:
    """What the page shows. Whatever is left at its default is left out.

    Attributes:
      name: of the run.
      when: as in "2026-11-24 05:12".
      verdict: the gate's; without one the page shows scores alone.
      classes: names, in the order of the class ids.
      image_size: side in pixels of the square that the model sees.
      candidate: the model's counts on the test split.
      champion: the last blessed model's on the same pictures, or None.
      intervals: how sure the scores are.
      confidence: of the intervals.
      slices: scores of parts of the test split.
      gallery: pictures to show.
      splits: pictures per split, as in {"train": 700}.
      class_balance: share of the judged pixels per class [K], by split.
      statistics: of the pictures.
      anomalies: one sentence each.
      pictures_read: records that the source gave; 0 where nobody counted.
      quarantined: (file, why) of every picture that was left out.
      offenders: what can be seen of some of them.
      history: one dict per epoch, as train/ writes it.
      components: in the order in which they ran.
      config: the run's configuration as text.
      facts: short facts on how the model was made, as in {"code digest": "a1b2…", "architecture": "unet_mobilenetv2"}.
      versions: of packages, as in {"tensorflow": "2.21.0"}.
    """

    name: str
    when: str
    verdict: Verdict | None
    classes: Sequence[str]
    image_size: int
    candidate: Scores
    champion: Scores | None = None
    intervals: Intervals | None = None
    confidence: float = 0.95
    slices: Sequence[SliceScore] = ()
    gallery: Gallery = field(default_factory=Gallery)
    splits: Mapping[str, int] = field(default_factory=dict)
    class_balance: Mapping[str, Sequence[float]] = field(default_factory=dict)
    statistics: Sequence[Statistic] = ()
    anomalies: Sequence[str] = ()
    pictures_read: int = 0
    quarantined: Sequence[tuple[str, str]] = ()
    offenders: Sequence[Offender] = ()
    history: Sequence[Mapping[str, Any]] = ()
    components: Sequence[Component] = ()
    config: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
