"""Draws the story of a drill as one self-contained HTML page."""

import base64
import io
from pathlib import Path

import jinja2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segpipe.drill import timeline
from segpipe.drill.story import Story, Trained
from segpipe.io import atomic
from segpipe.metrics.bootstrap import Interval
from segpipe.palette import colorize, overlay, palette

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _RIGHT = 900, 260, 40, 30, 250
_COLORS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00")


def write(story: Story, confidence: float, path: Path) -> None:
    """Writes the page.

    Args:
      story: what happened.
      confidence: of the intervals in it, 0…1.
      path: of the page.
    """
    colors = palette(len(story.classes))
    columns = ["picture", "truth", *(model.name for model in story.models)]
    rows = [[_url(image) for image in _painted(row, colors)] for row in story.examples]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("segpipe.drill"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    html = environment.get_template("drill.html.j2").render(
        story=story,
        timeline=timeline.draw(story),
        events=timeline.events(story),
        curve=_curve(story.models),
        columns=columns,
        rows=rows,
        interval=_words,
        confidence=100 * confidence,
    )
    atomic.write_text(path, html)


def _curve(models: list[Trained]) -> str:
    """Mean IoU of every model on both spans; whiskers are the intervals."""
    ends = [end for model in models for span in (model.span_1, model.span_2) for end in (span.low, span.high)]
    low, high = np.floor(min(ends) * 10) / 10, np.ceil(max(ends) * 10) / 10
    width = _WIDTH - _LEFT - _RIGHT

    def y(value: float) -> float:
        return round(10 + (high - value) / max(high - low, 0.1) * (_HEIGHT - _BOTTOM - 10), 1)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Mean IoU of each model on both spans">']
    for tick in np.arange(low, high + 0.01, 0.1):
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick)}" y2="{y(tick)}" stroke="#8884"/>')
        parts.append(f'<text x="4" y="{y(tick) + 4}">{tick:.1f}</text>')
    for number, model in enumerate(models):
        color = _COLORS[number % len(_COLORS)]
        places = [_LEFT + width * share + 6 * (number - len(models) / 2) for share in (0.15, 0.85)]
        spans = (model.span_1, model.span_2)
        for x, span in zip(places, spans, strict=True):
            parts.append(f'<line x1="{x}" x2="{x}" y1="{y(span.low)}" y2="{y(span.high)}" stroke="{color}"/>')
            parts.append(f'<circle cx="{x}" cy="{y(span.value)}" r="4" fill="{color}"/>')
        line = " ".join(f"{x},{y(span.value)}" for x, span in zip(places, spans, strict=True))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<rect x="{_WIDTH - _RIGHT + 8}" y="{12 + 18 * number}" width="10" height="10" fill="{color}"/>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 24}" y="{21 + 18 * number}">{model.name}</text>')
    for share, name in ((0.15, "span 1"), (0.85, "span 2, harder")):
        parts.append(f'<text x="{_LEFT + width * share - 20}" y="{_HEIGHT - 8}">{name}</text>')
    return "".join([*parts, "</svg>"])


def _painted(row: list[NDArray[np.uint8]], colors: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    image, truth, *masks = row
    return [image, colorize(truth, colors), *(overlay(image, mask, 0.6, colors) for mask in masks)]


def _words(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _url(pixels: NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels)
    image.thumbnail((256, 256))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
