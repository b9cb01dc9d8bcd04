"""Reads a run's summary.json into the frozen values that a verdict needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segpipe.errors import DataError
from segpipe.schema import SPLITS


@dataclass(frozen=True)
class Scores:
    """One model on the test split; every number is in [0, 1], None where nothing could be judged.

    Attributes:
      overall: by name, as in {"mean_iou": 0.672, "pixel_accuracy": 0.81}.
      class_iou: by class.
    """

    overall: Mapping[str, float | None] = field(default_factory=dict)
    class_iou: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def mean_iou(self) -> float | None:
        """The number that the gate goes by."""
        return self.overall.get("mean_iou")


@dataclass(frozen=True)
class Rule:
    """One thing that the gate asked for; `passed` is None where it only informs."""

    sentence: str
    passed: bool | None


@dataclass(frozen=True)
class Interval:
    """The ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """How sure the scores are.

    Attributes:
      confidence: of the intervals; 0 where a run wrote none down.
      mean_iou: of the candidate.
      difference: of candidate's mean IoU − champion's.
      class_iou: of the candidate, by class; without those that could not be judged.
    """

    confidence: float = 0.0
    mean_iou: Interval | None = None
    difference: Interval | None = None
    class_iou: Mapping[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """One of the worst test pictures: as the model saw it, the truth, the prediction and the errors, side by side."""

    id: str
    mean_iou: float | None
    picture: Path


@dataclass(frozen=True)
class Summary:
    """One run.

    Attributes:
      blessed: None for a run that did not come to its end.
      override: why a person blessed the model whatever the gate said; empty where nobody did.
      rules: what the gate asked for, in its order.
      champion: the last blessed model on the same test pictures, if the run had one.
      component_seconds: by component, for those that did work in this run.
      pictures: per split.
      report: the page; it may lie on another machine.
      intervals: how sure the scores are.
      worst: test pictures, the worst first.
    """

    name: str
    status: str
    error: str | None
    blessed: bool | None
    override: str
    rules: tuple[Rule, ...]
    candidate: Scores | None
    champion: Scores | None
    component_seconds: Mapping[str, float]
    pictures: Mapping[str, int]
    report: Path | None
    intervals: Intervals = Intervals()
    worst: tuple[Shown, ...] = ()


def read(path: Path) -> Summary:
    """Reads the summary.json of a run.

    Raises:
      DataError: there is none, or it is not one.
    """
    try:
        return of(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DataError(f"no such summary: {path}; `segpipe run CONFIG` writes one.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not the summary of a run ({type(error).__name__}: {error}).") from None


def of(raw: Mapping[str, Any]) -> Summary:
    """What a summary.json holds, as values."""
    metrics = raw.get("metrics") or {}
    return Summary(
        name=raw["name"],
        status=raw["status"],
        error=raw.get("error"),
        blessed=raw["blessed"],
        override=raw.get("override") or "",
        rules=tuple(Rule(rule["sentence"], rule["passed"]) for rule in raw.get("rules", ())),
        candidate=_scores(metrics.get("candidate")),
        champion=_scores(metrics.get("baseline")),
        component_seconds={
            name: component["seconds"] for name, component in raw["components"].items() if component["status"] == "done"
        },
        pictures={split: raw["pictures"][split] for split in SPLITS if split in (raw.get("pictures") or {})},
        report=Path(raw["report"]) if raw.get("report") else None,
        intervals=_intervals(raw.get("intervals") or {}),
        worst=tuple(Shown(one["id"], one["mean_iou"], Path(one["picture"])) for one in raw.get("worst", ())),
    )


def _scores(raw: Mapping[str, Any] | None) -> Scores | None:
    if not raw:
        return None
    overall = {name: value for name, value in raw.items() if value is None or isinstance(value, int | float)}
    return Scores(overall, raw.get("class_iou") or {})


def _intervals(raw: Mapping[str, Any]) -> Intervals:
    by_class = {name: _interval(ends) for name, ends in raw.get("class_iou", {}).items()}
    return Intervals(
        raw.get("confidence", 0.0),
        _interval(raw.get("mean_iou")),
        _interval(raw.get("difference")),
        {name: interval for name, interval in by_class.items() if interval},
    )


def _interval(raw: Mapping[str, float | None] | None) -> Interval | None:
    low, high = (raw or {}).get("low"), (raw or {}).get("high")
    return None if low is None or high is None else Interval(low, high)
