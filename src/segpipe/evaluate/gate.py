"""Judges what was measured on the test split, rule by rule, each with its numbers in a sentence."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from segpipe.config.evaluate import Gate
from segpipe.evaluate.slices import SliceScore
from segpipe.metrics import confusion
from segpipe.metrics.bootstrap import Interval

Counts = NDArray[np.int64]

_OVERRIDE = "--override-blessing REASON lets this model pass and makes it the next champion"


@dataclass(frozen=True)
class Measurements:
    """What the gate judges, all of it measured on the test split.

    Attributes:
      classes: names, in the order of the class ids.
      candidate: confusion counts int64 [K, K].
      champion: those of the last blessed model on the same pictures; None for a first model or a champion that cannot
        be measured.
      champion_problem: why there is a champion but no measure of it, in a sentence; empty otherwise.
      difference: candidate's mean IoU − champion's, with its confidence interval.
      slices: of the test split.
      model_mb: size of the SavedModel.
      latency_ms: of one picture, or None where nobody asked for it.
      notes: facts that a reader must know and that decide nothing.
    """

    classes: Sequence[str]
    candidate: Counts
    champion: Counts | None = None
    champion_problem: str = ""
    difference: Interval | None = None
    slices: Sequence[SliceScore] = ()
    model_mb: float | None = None
    latency_ms: float | None = None
    notes: Sequence[str] = ()


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
        decided = {"blessed": self.blessed, "override": self.override, "reasons": self.reasons}
        return json.dumps({**decided, "rules": [asdict(rule) for rule in self.rules]}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """Reads what `to_json` wrote."""
        raw = json.loads(text)
        return cls(tuple(Rule(**rule) for rule in raw["rules"]), raw["override"])


def judge(gate: Gate, evidence: Measurements, override: str = "") -> Verdict:
    """Judges a candidate by the config's rules.

    Args:
      gate: the rules.
      evidence: what was measured.
      override: why a person blesses the model whatever the rules say; empty when nobody does.
    """
    rules = [
        _floor("mean IoU", float(confusion.mean_iou(evidence.candidate)), gate.min_mean_iou),
        *_class_floors(gate, evidence),
        *_slice_floors(gate, evidence.slices),
        *_against_champion(gate, evidence),
        *_budgets(gate, evidence),
        *(Rule("note", None, None, None, note) for note in evidence.notes),
    ]
    return Verdict(tuple(rules), override)


def _class_floors(gate: Gate, evidence: Measurements) -> Iterator[Rule]:
    iou = confusion.class_iou(evidence.candidate)
    for name, floor in gate.min_class_iou.items():
        yield _floor(f"IoU of {name}", float(iou[list(evidence.classes).index(name)]), floor)


def _slice_floors(gate: Gate, slices: Sequence[SliceScore]) -> Iterator[Rule]:
    for name, floor in gate.min_slice_mean_iou.items():
        meant = [score for score in slices if name in (score.slicing, score.name)]
        if not meant:
            known = ", ".join(dict.fromkeys(score.slicing for score in slices)) or "none"
            sentence = f"gate.min_slice_mean_iou names {name}, which no test picture belongs to; slicings: {known}."
            yield Rule(f"mean IoU of {name}, floor", None, floor, False, sentence)
        for score in meant:
            what = f"mean IoU of {score.name}"
            if score.judged:
                yield _floor(what, score.mean_iou, floor)
            else:
                sentence = f"{what} {score.mean_iou:.3f} is not judged: {score.pictures} pictures are too few."
                yield Rule(f"{what}, floor", score.mean_iou, floor, None, sentence)


def _against_champion(gate: Gate, evidence: Measurements) -> Iterator[Rule]:
    name = "mean IoU against the champion"
    if evidence.champion_problem:
        yield Rule(name, None, None, False, f"{evidence.champion_problem} {_OVERRIDE}.")
        return
    if evidence.champion is None:
        sentence = "There is no champion yet: a first model only has to reach the floors and keep the budgets."
        yield Rule(name, None, None, None, sentence)
        return
    gain = float(confusion.mean_iou(evidence.candidate) - confusion.mean_iou(evidence.champion))
    passed = gain >= -gate.max_mean_iou_drop
    words = "no worse than" if passed else "worse than"
    sentence = (
        f"mean IoU is {gain:+.3f} from the champion's: {words} the margin of {gate.max_mean_iou_drop:.3f} allows."
    )
    yield Rule(name, gain, -gate.max_mean_iou_drop, passed, sentence)
    if evidence.difference is not None:
        yield _sure_enough(gate, evidence.difference)


def _sure_enough(gate: Gate, difference: Interval) -> Rule:
    passed = difference.low >= -gate.max_plausible_drop
    interval = f"{100 * gate.confidence:g} % interval of the difference {difference.low:+.3f} … {difference.high:+.3f}"
    margin = f"more than {gate.max_plausible_drop:.3f} below zero"
    if passed:
        sentence = f"The {interval} does not reach {margin}."
    elif difference.high < 0:
        sentence = f"The {interval} lies below zero: the champion is better."
    else:
        sentence = (
            f"The {interval} reaches {margin}: the test split is too small to tell; "
            "add test pictures or raise gate.max_plausible_drop."
        )
    return Rule("difference to the champion, lower bound", difference.low, -gate.max_plausible_drop, passed, sentence)


def _budgets(gate: Gate, evidence: Measurements) -> Iterator[Rule]:
    for what, value, limit, unit in (
        ("latency", evidence.latency_ms, gate.max_latency_ms, "ms"),
        ("model size", evidence.model_mb, gate.max_model_mb, "MB"),
    ):
        if limit is None:
            continue
        if value is None:
            yield Rule(f"{what}, budget", None, limit, False, f"{what} was not measured; run the evaluation again.")
            continue
        passed = value <= limit
        words = "is within" if passed else "exceeds"
        sentence = f"{what} {value:.1f} {unit} {words} the budget of {limit:.1f} {unit}."
        yield Rule(f"{what} in {unit}, budget", value, limit, passed, sentence)


def _floor(what: str, value: float, floor: float) -> Rule:
    name = f"{what}, floor"
    if math.isnan(value):
        return Rule(name, None, floor, False, f"{what} cannot be judged: no pixel of it is in the test split.")
    passed = value >= floor
    relation = "reaches" if passed else "is below"
    return Rule(name, value, floor, passed, f"{what} {value:.3f} {relation} the floor of {floor:.3f}.")
