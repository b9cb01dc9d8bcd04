"""Decides whether to retrain now: degraded, rested, not too often, not held."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from segpipe.io import atomic
from segpipe.watch.verdict import DEGRADED, Verdict

HOLD = "HOLD"
_HISTORY = "retrained.json"
_WEEK_S = 7 * 86400


@dataclass(frozen=True)
class Policy:
    """How often retraining may start.

    Attributes:
      cool_down_hours: after the last start.
      max_per_week: starts in any seven days.
    """

    cool_down_hours: float = 24.0
    max_per_week: int = 3


@dataclass(frozen=True)
class Decision:
    """Whether to retrain, and why or why not in a sentence."""

    start: bool
    reason: str


def decide(verdict: Verdict, folder: Path, policy: Policy, now_s: float | None = None) -> Decision:
    """Decides; a file HOLD in `folder`, made by a person, holds it until it is removed.

    Args:
      verdict: of the watched window.
      folder: where `watch` keeps its things.
      policy: how often.
      now_s: Unix time; the clock's when left out.
    """
    now_s = time.time() if now_s is None else now_s
    if verdict.status != DEGRADED:
        return Decision(False, f"the verdict is {verdict.status}; only {DEGRADED} starts retraining.")
    if (folder / HOLD).exists():
        return Decision(False, f"{folder / HOLD} holds it; remove that file to let it go on.")
    starts = history(folder)
    rest_s = policy.cool_down_hours * 3600 - (now_s - max(starts, default=float("-inf")))
    if rest_s > 0:
        return Decision(
            False, f"it started {policy.cool_down_hours - rest_s / 3600:.1f} hours ago; {rest_s / 3600:.1f} to go."
        )
    recent = sum(now_s - start < _WEEK_S for start in starts)
    if recent >= policy.max_per_week:
        return Decision(
            False, f"it started {recent} times in seven days, which is the most allowed; a person should look."
        )
    return Decision(True, verdict.reasons[0])


def note_start(folder: Path, now_s: float | None = None) -> None:
    """Writes a start down before it happens, so that a crash counts as well."""
    starts = [*history(folder), time.time() if now_s is None else now_s]
    atomic.write_text(folder / _HISTORY, json.dumps(starts) + "\n")


def history(folder: Path) -> list[float]:
    """Unix times of all starts."""
    path = folder / _HISTORY
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
