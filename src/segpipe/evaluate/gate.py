"""Confusion counts of a candidate and its champion in, a verdict out: rule by rule, with a sentence for each."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from segpipe.config import Gate
from segpipe.evaluate import confusion

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Rule:
    """One thing that the gate asks for.

    Attributes:
      name: as in "mean IoU, floor".
      value: what was measured; None where nothing could be.
      limit: what was asked for; None for a rule that only informs.
      passed: None where the rule was not judged.
      sentence: the outcome in words, with both numbers.
    """

    name: str
    value: float | None
    limit: float | None
    passed: bool | None
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """What the gate decided and why.

    Attributes:
      rules: in the order in which they were judged.
      override: why a person let the model pass all the same; empty when nobody did.
    """

    rules: Sequence[Rule] = field(default_factory=tuple)
    override: str = ""

    @property
    def passed(self) -> bool:
        """Whether no rule failed."""
        return all(rule.passed is not False for rule in self.rules)

    @property
    def blessed(self) -> bool:
        """Whether the model may be pushed."""
        return self.passed or bool(self.override)

    @property
    def reasons(self) -> list[str]:
        """The sentences of the rules that failed."""
        return [rule.sentence for rule in self.rules if rule.passed is False]

    def to_json(self) -> str:
        """The verdict as JSON; `from_json` reads it back equal."""
        return json.dumps({**asdict(self), "rules": [asdict(rule) for rule in self.rules]}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """Reads what `to_json` wrote."""
        raw = json.loads(text)
        return cls(tuple(Rule(**rule) for rule in raw["rules"]), raw["override"])


def judge(gate: Gate, classes: Sequence[str], candidate: Counts, champion: Counts | None = None) -> Verdict:
    """Judges a candidate by the config's rules.

    Args:
      gate: the rules.
      classes: names, in the order of the class ids.
      candidate: int64 [K, K], the test split's confusion counts.
      champion: those of the last blessed model on the same pictures; None for a first model, which only has to
        reach the floors.
    """
    rules = [_floor("mean IoU", float(confusion.mean_iou(candidate)), gate.min_mean_iou)]
    class_iou = confusion.class_iou(candidate)
    for name, floor in gate.min_class_iou.items():
        rules.append(_floor(f"IoU of {name}", float(class_iou[classes.index(name)]), floor))
    rules.append(_no_worse(candidate, champion, gate.max_mean_iou_drop))
    return Verdict(tuple(rules))


def _floor(what: str, value: float, floor: float) -> Rule:
    name = f"{what}, floor"
    if np.isnan(value):
        return Rule(name, None, floor, False, f"{what} cannot be judged: no pixel of it is in the test split.")
    passed = value >= floor
    relation = "reaches" if passed else "is below"
    return Rule(name, value, floor, passed, f"{what} {value:.3f} {relation} the floor of {floor:.3f}.")


def _no_worse(candidate: Counts, champion: Counts | None, max_drop: float) -> Rule:
    name = "mean IoU against the champion"
    if champion is None:
        return Rule(name, None, None, None, "There is no champion yet: a first model only has to reach the floors.")
    drop = float(confusion.mean_iou(candidate) - confusion.mean_iou(champion))
    passed = drop >= -max_drop
    relation = "within" if passed else "beyond"
    sentence = f"mean IoU differs from the champion's by {drop:+.3f}, {relation} the allowed drop of {max_drop:.3f}."
    return Rule(name, drop, -max_drop, passed, sentence)
