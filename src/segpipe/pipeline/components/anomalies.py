"""Explains each anomaly that TFDV sees in a split in one sentence, with the pictures that cause it."""

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from segpipe import schema
from segpipe.ingest import bad_picture, masks
from segpipe.ingest.bad_picture import Offender
from segpipe.text import count

_NAMED = 5
"""Pictures that a sentence names, and the contact sheet shows, for each anomaly."""

SKEW, DRIFT = "skew", "drift"
_BESIDE = {SKEW: "the eval split", DRIFT: "the training pictures of the last accepted run"}


@dataclass(frozen=True)
class Compared:
    """How far a feature's distribution lies from another one.

    Attributes:
      kind: SKEW or DRIFT.
      distance: as TFDV measured it.
      threshold: of the schema or the config.
      mean, std: of the other distribution.
    """

    kind: str
    distance: float
    threshold: float
    mean: float
    std: float


@dataclass(frozen=True)
class Anomaly:
    """What does not fit about one feature.

    Attributes:
      sentence: feature, split, what was expected, what was found, and ids.
      offenders: the pictures that it names.
    """

    sentence: str
    offenders: tuple[Offender, ...] = ()


def explain(
    split: str,
    found: anomalies_pb2.Anomalies,
    judged_by: schema_pb2.Schema,
    compared: Mapping[str, Sequence[Compared]],
    examples: Iterable[Mapping[str, list[Any]]],
) -> list[Anomaly]:
    """Words each anomaly.

    Args:
      split: of the statistics.
      found: what TFDV says.
      judged_by: the schema that it was given.
      compared: by feature, the comparisons that lie above their threshold.
      examples: of the split, decoded; read once.
    """
    by_name = {feature.name: feature for feature in judged_by.feature}
    watched: list[_Watch] = []
    for name in sorted(found.anomaly_info):
        reasons = [reason for reason in found.anomaly_info[name].reason if not _is_comparison(reason)]
        if reasons:
            watched.append(_Misfits(name, by_name.get(name), reasons))
        watched += [_Farthest(name, one) for one in compared.get(name, ())]
    for features in examples if watched else ():
        for watch in watched:
            watch.look(features)
    anomalies = [anomaly for watch in watched for anomaly in watch.anomalies(split)]
    if found.HasField("dataset_anomaly_info"):
        anomalies.append(Anomaly(f"the {split} split: {found.dataset_anomaly_info.description.rstrip('. ')}."))
    return anomalies


def _is_comparison(reason: anomalies_pb2.AnomalyInfo.Reason) -> bool:
    return anomalies_pb2.AnomalyInfo.Type.Name(reason.type).startswith("COMPARATOR_")


@dataclass
class _Misfits:
    """Collects the Examples whose values the schema does not allow."""

    name: str
    feature: schema_pb2.Feature | None
    reasons: Sequence[anomalies_pb2.AnomalyInfo.Reason]
    number: int = 0
    lowest: float = math.inf
    highest: float = -math.inf
    not_a_number: bool = False
    counts: set[int] = field(default_factory=set)
    kept: list[Mapping[str, list[Any]]] = field(default_factory=list)

    def look(self, features: Mapping[str, list[Any]]) -> None:
        values = features.get(self.name, [])
        if self.feature is None or _fits(self.feature, values):
            return
        self.number += 1
        self.counts.add(len(values))
        numbers = [value for value in values if not math.isnan(value)]
        self.not_a_number |= len(numbers) < len(values)
        self.lowest, self.highest = min([self.lowest, *numbers]), max([self.highest, *numbers])
        if len(self.kept) < _NAMED:
            self.kept.append(features)

    def anomalies(self, split: str) -> Iterator[Anomaly]:
        subject = f"{self.name} in the {split} split"
        if self.feature is None or not self.number:  # Something about the column as a whole.
            said = "; ".join(reason.description.rstrip(". ") for reason in self.reasons)
            yield Anomaly(f"{subject}: {said}.")
            return
        size = _size(self.feature)
        if self.counts == {0}:
            what = "no value"
        elif size is not None and self.counts != {size}:
            what = f"{' or '.join(str(number) for number in sorted(self.counts))} values"
        elif self.not_a_number:
            what = "NaN"
        elif self.lowest == self.highest:
            what = f"{self.lowest:.4g}"
        else:
            what = f"{self.lowest:.4g}…{self.highest:.4g}"
        yield _worded(f"{subject}: expected {_expected(self.feature)}, found {what}", self.number, self.kept)


@dataclass
class _Farthest:
    """Keeps the Examples that lie farthest from the other distribution."""

    name: str
    comparison: Compared
    heap: list[tuple[float, int, Mapping[str, list[Any]]]] = field(default_factory=list)
    seen: int = 0

    def look(self, features: Mapping[str, list[Any]]) -> None:
        distance = max((abs(value - self.comparison.mean) for value in features.get(self.name, [])), default=0.0)
        self.seen += 1
        heapq.heappush(self.heap, (distance, self.seen, features))
        if len(self.heap) > _NAMED:
            heapq.heappop(self.heap)

    def anomalies(self, split: str) -> Iterator[Anomaly]:
        one = self.comparison
        sentence = (
            f"{self.name} in the {split} split: expected {one.kind} (Jensen-Shannon divergence) of at most "
            f"{one.threshold:.4g} from {_BESIDE[one.kind]}, whose mean is {one.mean:.4g} ± {one.std:.4g}, "
            f"found {one.distance:.4g}"
        )
        farthest = [features for _, _, features in sorted(self.heap, key=lambda item: -item[0])]
        yield _worded(sentence, self.seen, farthest, "the farthest are ")


_Watch = _Misfits | _Farthest


def _worded(sentence: str, number: int, kept: Sequence[Mapping[str, list[Any]]], lead: str = "") -> Anomaly:
    ids = [features[schema.ID][0].decode("utf-8", "backslashreplace") for features in kept]
    lead = lead or f"in {count(number, 'picture')}: "
    more = " …" if number > len(ids) and not lead.startswith("the") else ""
    whole = f"{sentence}, {lead}{', '.join(ids)}{more}."
    shown = zip(ids, kept, strict=True)
    return Anomaly(whole, tuple(_offender(name, features, f"{sentence}.") for name, features in shown))


def _offender(name: str, features: Mapping[str, list[Any]], sentence: str) -> Offender:
    """An Example's own picture; its mask holds class ids."""
    classes = max(2, len(features.get(schema.CLASS_FRACTION, ())))
    meaning = masks.Meaning(tuple(range(classes)), (schema.IGNORE,))
    return bad_picture.of_content(name, sentence, features[schema.IMAGE][0], features[schema.MASK][0], meaning)


def _fits(feature: schema_pb2.Feature, values: Sequence[Any]) -> bool:
    if not values:
        return feature.presence.min_fraction < 1
    size = _size(feature)
    if size is not None and len(values) != size:
        return False
    low, high = _domain(feature)
    return all(low <= value <= high for value in values)  # NaN does not.


def _size(feature: schema_pb2.Feature) -> int | None:
    return math.prod(dim.size for dim in feature.shape.dim) if feature.HasField("shape") else None


def _domain(feature: schema_pb2.Feature) -> tuple[float, float]:
    kind = feature.WhichOneof("domain_info")
    if kind not in ("int_domain", "float_domain"):
        return -math.inf, math.inf
    domain = getattr(feature, kind)
    low = domain.min if domain.HasField("min") else -math.inf
    return low, domain.max if domain.HasField("max") else math.inf


def _expected(feature: schema_pb2.Feature) -> str:
    low, high = _domain(feature)
    size = _size(feature)
    number = "" if size is None else "one value " if size == 1 else f"{size} values "
    if math.isinf(low) and math.isinf(high):
        return number.strip() or "a value"
    if math.isinf(high):
        return f"{number}of at least {low:.4g}"
    return f"{number}of at most {high:.4g}" if math.isinf(low) else f"{number}in {low:.4g}…{high:.4g}"
