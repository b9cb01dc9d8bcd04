"""Finds the slices that an Example belongs to, and scores each slice of a split."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from segpipe import schema
from segpipe.config.evaluate import Evaluate
from segpipe.evaluate.picture_table import PictureTable
from segpipe.metrics import confusion

CROSS = "*"


@dataclass(frozen=True)
class SliceScore:
    """One slice of the test split.

    Attributes:
      slicing: the attribute, as in "brightness" or "breed*brightness".
      value: of the attribute, as in "below 0.3".
      pictures: how many there are.
      mean_iou: the candidate's.
      champion_mean_iou: the champion's, or None without a champion.
      judged: False where there are too few pictures to judge.
    """

    slicing: str
    value: str
    pictures: int
    mean_iou: float
    champion_mean_iou: float | None
    judged: bool

    @property
    def name(self) -> str:
        """As in "brightness=below 0.3"."""
        return f"{self.slicing}={self.value}"


def attributes(features: Mapping[str, Sequence[Any]], evaluate: Evaluate) -> dict[str, str]:
    """The value of every slicing for one picture.

    Args:
      features: a decoded Example: lists of bytes, int or float by feature name.
      evaluate: the config's section.

    Returns:
      As in {"breed": "Abyssinian", "brightness": "0.3 to 0.55", "breed*brightness": "Abyssinian, 0.3 to 0.55"}; a
      slicing that the picture has no feature for is left out.
    """
    found = {
        name: features[schema.SLICE_PREFIX + name][0].decode("utf-8", "replace") for name in attribute_names(features)
    }
    statistics = {name: values[0] for name, values in features.items() if name in schema.IMAGE_STATISTICS and values}
    if shares := [share for share in features.get(schema.CLASS_FRACTION, ()) if share > 0]:
        statistics[schema.OBJECT_SIZE] = min(shares)
    for name, edges in evaluate.buckets.items():
        if name in statistics and edges:
            found[name] = _bucket(statistics[name], edges)
    for crossed in evaluate.crossed:
        parts = crossed.split(CROSS)
        if all(part in found for part in parts):
            found[crossed] = ", ".join(found[part] for part in parts)
    return found


def attribute_names(features: Mapping[str, Sequence[Any]]) -> list[str]:
    """The names of the attributes that a decoded Example carries, ascending."""
    prefix = schema.SLICE_PREFIX
    return sorted(name.removeprefix(prefix) for name, values in features.items() if name.startswith(prefix) and values)


def slicings(names: Iterable[str], evaluate: Evaluate) -> list[str]:
    """Every slicing that pictures with the attributes `names` can have, in the order of `attributes`.

    Args:
      names: of the attributes that the pictures carry.
      evaluate: the config's section.
    """
    single = list(dict.fromkeys([*sorted(names), *(name for name, edges in evaluate.buckets.items() if edges)]))
    return [*single, *(crossed for crossed in evaluate.crossed if set(crossed.split(CROSS)) <= set(single))]


def score(table: PictureTable, min_pictures: int) -> list[SliceScore]:
    """Scores every slice of a split.

    Args:
      table: the pictures' counts and attributes.
      min_pictures: a smaller slice is too small to judge.

    Returns:
      By slicing, then by value.
    """
    scores = []
    for slicing in table.slicings:
        values = np.array([attributes.get(slicing, "") for attributes in table.attributes])
        for value in sorted(set(values.tolist()) - {""}, key=_numbers_first):
            members = values == value
            champion = table.champion
            scores.append(
                SliceScore(
                    slicing,
                    value,
                    int(members.sum()),
                    _mean_iou(table.candidate[members]),
                    None if champion is None else _mean_iou(champion[members]),
                    bool(members.sum() >= min_pictures),
                )
            )
    return scores


def bucket_names(edges: Iterable[float]) -> list[str]:
    """The names of the buckets that `edges` cut, from low to high."""
    edges = list(edges)
    middle = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    return [f"below {edges[0]:g}", *middle, f"from {edges[-1]:g}"]


def _bucket(value: float, edges: Sequence[float]) -> str:
    return bucket_names(edges)[int(np.searchsorted(edges, value, side="right"))]


def _mean_iou(margins: np.ndarray) -> float:
    return float(confusion.mean_iou_of_margins(margins.sum(axis=0)))


def _numbers_first(value: str) -> tuple[int, str]:
    """Buckets from low to high: "below …" comes first and "from …" last."""
    return (0 if value.startswith("below ") else 2 if value.startswith("from ") else 1, value)
