"""A run's summary.json in, the frozen values that a verdict needs out."""

import json
from collections.abc import Iterable, Mapping
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


def read(path: Path) -> Summary:
    """Reads the summary.json of a run.

    Raises:
      DataError: there is none, or it is not one.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        metrics = raw.get("metrics") or {}
        return Summary(
            name=raw["name"],
            status=raw["status"],
            error=raw.get("error"),
            blessed=raw["blessed"],
            override=raw.get("override") or "",
            rules=_rules(raw.get("rules", ())),
            candidate=_scores(metrics.get("candidate")),
            champion=_scores(metrics.get("baseline")),
            component_seconds={
                name: component["seconds"]
                for name, component in raw["components"].items()
                if component["status"] == "done"
            },
            pictures={split: raw["pictures"][split] for split in SPLITS if split in (raw.get("pictures") or {})},
            report=Path(raw["report"]) if raw.get("report") else None,
        )
    except FileNotFoundError:
        raise DataError(f"no such summary: {path}; `segpipe run CONFIG` writes one.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not the summary of a run ({type(error).__name__}: {error}).") from None


def of_verdict(name: str, text: bytes) -> Summary:
    """What is known of a run of which only the Evaluator's verdict is at hand.

    Args:
      name: of the run.
      text: the verdict, as JSON.
    """
    raw = json.loads(text)
    return Summary(
        name=name,
        status="done",
        error=None,
        blessed=raw["blessed"],
        override=raw["override"],
        rules=_rules(raw["rules"]),
        candidate=None,
        champion=None,
        component_seconds={},
        pictures={},
        report=None,
    )


def _rules(raw: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    return tuple(Rule(rule["sentence"], rule["passed"]) for rule in raw)


def _scores(raw: Mapping[str, Any] | None) -> Scores | None:
    if not raw:
        return None
    overall = {name: value for name, value in raw.items() if value is None or isinstance(value, int | float)}
    return Scores(overall, raw.get("class_iou") or {})
