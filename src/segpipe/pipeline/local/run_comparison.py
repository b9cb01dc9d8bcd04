"""Compares two runs by their summaries: scores, and the config where it differs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One thing that both runs have, or that one of them lacks (None).

    Attributes:
      name: as in "metrics.class_iou.cat" or "config.train.epochs".
      first: the first run's value.
      second: the second's.
    """

    name: str
    first: Any
    second: Any

    @property
    def difference(self) -> float | None:
        """Second less first, where both are numbers."""
        if _is_number(self.first) and _is_number(self.second):
            return float(self.second) - float(self.first)
        return None


def scores(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Row]:
    """Every score of the candidates, and how the runs ended.

    Args:
      first: what the first run's summary.json holds.
      second: the second's.
    """
    ends = [Row(name, first.get(name), second.get(name)) for name in ("status", "blessed", "seconds")]
    metrics = [dict(_flat((one.get("metrics") or {}).get("candidate") or {})) for one in (first, second)]
    return ends + [Row(name, metrics[0].get(name), metrics[1].get(name)) for name in {**metrics[0], **metrics[1]}]


def config_differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Row]:
    """The config keys in which the runs differ.

    Args:
      first: what the first run's summary.json holds.
      second: the second's.
    """
    configs = [dict(_flat(one.get("config") or {})) for one in (first, second)]
    rows = [Row(name, configs[0].get(name), configs[1].get(name)) for name in {**configs[0], **configs[1]}]
    return [row for row in rows if row.first != row.second]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
