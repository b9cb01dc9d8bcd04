"""Lists the events of a drill, and draws the mean IoU of the deployed model from event to event."""

from dataclasses import dataclass

import numpy as np

from segpipe.drill.story import Story
from segpipe.metrics.bootstrap import Interval

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 900, 260, 40, 10, 24, 40
_SERVES, _HARDER = "#0072b2", "#d55e0018"


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
      what: in a few words.
      verdict: what `watch` or the gate made of it.
      reasons: one sentence each.
      serving: mean IoU of the deployed model on the test pictures of the span that arrives.
      refused: mean IoU of a model that the gate did not let through; else None.
      harder: whether span 2 has come.
    """

    what: str
    verdict: str
    reasons: tuple[str, ...]
    serving: Interval
    refused: Interval | None = None
    harder: bool = True


def events(story: Story) -> list[Event]:
    """What happened, in order."""
    first, *answers = story.models
    found = [Event(f"{first.architecture} trained on span 1", "deployed", (), first.span_1, harder=False)]
    for number, look in enumerate(story.looks):
        serving = first.span_2 if number else first.span_1
        found.append(Event(look.when, look.status, look.reasons, serving, harder=number > 0))
    serving = first.span_2
    for answer in answers:
        serving = answer.span_2 if answer.blessed else serving
        verdict = f"deployed: {answer.outcome}" if answer.blessed else f"refused: {answer.outcome}"
        refused = None if answer.blessed else answer.span_2
        found.append(Event(f"retrained on spans 1 and 2: {answer.name}", verdict, answer.reasons, serving, refused))
    return found


def draw(story: Story) -> str:
    """An SVG: a step from event to event, whiskers for the intervals, a shade where span 2 has come."""
    found = events(story)
    drawn = [interval for event in found for interval in (event.serving, event.refused) if interval is not None]
    low = np.floor(min(one.low for one in drawn) * 10) / 10
    high = max(np.ceil(max(one.high for one in drawn) * 10) / 10, low + 0.1)
    step = (_WIDTH - _LEFT - _RIGHT) / len(found)

    def y(value: float) -> float:
        return round(_TOP + (high - value) / (high - low) * (_HEIGHT - _BOTTOM - _TOP), 1)

    def mark(x: float, interval: Interval, fill: str) -> str:
        whisker = f'<line x1="{x}" x2="{x}" y1="{y(interval.low)}" y2="{y(interval.high)}" stroke="{_SERVES}"/>'
        return whisker + f'<circle cx="{x}" cy="{y(interval.value)}" r="4" fill="{fill}" stroke="{_SERVES}"/>'

    harder_x = _LEFT + step * next(number for number, event in enumerate(found) if event.harder)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Mean IoU of the deployed model by event">',
        f'<rect x="{harder_x:.1f}" width="{_WIDTH - _RIGHT - harder_x:.1f}" y="0" height="{_HEIGHT - _BOTTOM}" '
        f'fill="{_HARDER}"/>',
        f'<text x="{_LEFT + 6}" y="14">span 1</text><text x="{harder_x + 6:.1f}" y="14">span 2</text>',
    ]
    for tick in np.arange(low, high + 0.01, 0.1):
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick)}" y2="{y(tick)}" stroke="#8884"/>')
        parts.append(f'<text x="4" y="{y(tick) + 4}">{tick:.1f}</text>')
    centres = [round(_LEFT + step * (number + 0.5), 1) for number in range(len(found))]
    line = " ".join(f"{x},{y(event.serving.value)}" for x, event in zip(centres, found, strict=True))
    parts.append(f'<polyline points="{line}" fill="none" stroke="{_SERVES}" stroke-width="2"/>')
    for number, (x, event) in enumerate(zip(centres, found, strict=True), start=1):
        if event.refused is not None:
            parts.append(mark(x - 8, event.refused, "none"))
        parts.append(mark(x, event.serving, _SERVES))
        parts.append(f'<text x="{x}" y="{_HEIGHT - 22}" text-anchor="middle">{number}</text>')
        word = event.verdict.partition(":")[0]
        parts.append(f'<text x="{x}" y="{_HEIGHT - 6}" text-anchor="middle">{word}</text>')
    return "".join([*parts, "</svg>"])
