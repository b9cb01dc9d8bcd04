"""Everything known of a run in, one self-contained page out that says whether the model was blessed, and why."""

import base64
import functools
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from segpipe import atomic, schema
from segpipe.evaluate import charts, confusion
from segpipe.evaluate.gate import Verdict
from segpipe.preprocess.palette import colorize, palette

_MAX_SIDE_PIXELS = 256
_MAX_SAMPLES = 24


@dataclass(frozen=True)
class Sample:
    """One picture to look at.

    Attributes:
      id: of the Example.
      image: uint8 [H, W, 3], RGB.
      truth: uint8 [H, W], class ids, 255 = ignore.
      prediction: uint8 [H, W], class ids.
      mean_iou: of this picture alone, or None.
    """

    id: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    mean_iou: float | None = None


@dataclass(frozen=True)
class Component:
    """What one component of the pipeline cost: its state ("done", "reused" …), wall seconds and peak memory."""

    name: str
    status: str
    seconds: float
    peak_rss_mb: float | None = None


@dataclass(frozen=True)
class Report:
    """What the page shows. Whatever is left at its default gets no section.

    Attributes:
      name: of the run.
      when: as in "2026-11-24 05:12".
      verdict: the gate's.
      classes: names, in the order of the class ids.
      confusion: int64 [K, K], the candidate's counts on the test split; every score is computed from it.
      champion_confusion: the last blessed model's on the same pictures, or None.
      worst: samples, the worst first.
      typical: samples spread over the range from best to worst.
      splits: pictures per split, as in {"train": 700}.
      class_balance: share of the judged pixels per class [K], by split.
      anomalies: one sentence each.
      quarantined: (file, why) of every picture that was left out.
      history: one dict per epoch, as train/ writes it.
      components: in the order in which they ran.
      config: the run's configuration as text.
      facts: short facts on how the model was made, as in {"code digest": "a1b2…", "architecture": "unet_mobilenetv2"}.
      versions: of packages, as in {"tensorflow": "2.21.0"}.
    """

    name: str
    when: str
    verdict: Verdict
    classes: Sequence[str]
    confusion: NDArray[np.int64]
    champion_confusion: NDArray[np.int64] | None = None
    worst: Sequence[Sample] = ()
    typical: Sequence[Sample] = ()
    splits: Mapping[str, int] = field(default_factory=dict)
    class_balance: Mapping[str, Sequence[float]] = field(default_factory=dict)
    anomalies: Sequence[str] = ()
    quarantined: Sequence[tuple[str, str]] = ()
    history: Sequence[Mapping[str, Any]] = ()
    components: Sequence[Component] = ()
    config: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def write_report(report: Report, path: Path) -> None:
    """Writes the page, whole or not at all.

    Args:
      report: what to show.
      path: of the HTML file; its folder is made.
    """
    atomic.write_text(path, render(report))


def render(report: Report) -> str:
    """The page as HTML: no network, light and dark, a few hundred kilobytes."""
    champion = report.champion_confusion
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            colors=[f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in palette(len(report.classes)).tolist()],
            scores=_scores(report.confusion),
            champion_scores=None if champion is None else _scores(champion),
            class_rows=_class_rows(report),
            curves=Markup(charts.training_curves(report.history)) if report.history else None,  # noqa: S704
            class_bars=Markup(charts.class_bars(report.classes, report.confusion, champion)),  # noqa: S704
            heatmap=Markup(charts.confusion_heatmap(report.classes, report.confusion)),  # noqa: S704
            worst=[_pictures(sample) for sample in report.worst[:_MAX_SAMPLES]],
            typical=[_pictures(sample) for sample in report.typical[:_MAX_SAMPLES]],
        )
    )


def _scores(counts: NDArray[np.int64]) -> dict[str, float]:
    return {
        "mean IoU": float(confusion.mean_iou(counts)),
        "pixel accuracy": float(confusion.pixel_accuracy(counts)),
        "frequency-weighted IoU": float(confusion.frequency_weighted_iou(counts)),
        "mean Dice": float(np.nanmean(confusion.dice(counts))) if counts.any() else float("nan"),
    }


def _class_rows(report: Report) -> list[dict[str, Any]]:
    counts = report.confusion
    columns = {
        "iou": confusion.class_iou(counts),
        "dice": confusion.dice(counts),
        "precision": confusion.precision(counts),
        "recall": confusion.recall(counts),
        "share": counts.sum(axis=1) / max(counts.sum(), 1),
    }
    if report.champion_confusion is not None:
        columns["champion_iou"] = confusion.class_iou(report.champion_confusion)
    return [
        {"name": name, **{column: float(values[class_id]) for column, values in columns.items()}}
        for class_id, name in enumerate(report.classes)
    ]


def _pictures(sample: Sample) -> dict[str, Any]:
    wrong = (sample.prediction != sample.truth) & (sample.truth != schema.IGNORE)
    grey = np.repeat(sample.image.mean(axis=-1, keepdims=True) * 0.5 + 100, 3, axis=-1)
    errors = np.where(wrong[..., None], (213, 0, 0), grey).astype(np.uint8)
    return {
        "id": sample.id,
        "mean_iou": sample.mean_iou,
        "wrong": float(wrong.sum() / max((sample.truth != schema.IGNORE).sum(), 1)),
        "images": [
            ("picture", _data_url(sample.image, photo=True)),
            ("truth", _data_url(colorize(sample.truth))),
            ("prediction", _data_url(colorize(sample.prediction))),
            ("errors", _data_url(errors, photo=True)),
        ],
    }


def _data_url(pixels: NDArray[np.uint8], photo: bool = False) -> str:
    image = Image.fromarray(pixels)
    if photo:
        image.thumbnail((_MAX_SIDE_PIXELS, _MAX_SIDE_PIXELS))
    elif max(image.size) > _MAX_SIDE_PIXELS:
        scale = _MAX_SIDE_PIXELS / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.NEAREST)  # Anything else would invent colours between classes.
    buffer = io.BytesIO()
    if photo:
        image.save(buffer, "JPEG", quality=85)
    else:
        image.quantize(256).save(buffer, "PNG", optimize=True)
    kind = "jpeg" if photo else "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("segpipe.evaluate"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["score"] = lambda value: "–" if value is None or np.isnan(value) else f"{value:.3f}"
    environment.filters["signed"] = lambda value: "–" if value is None or np.isnan(value) else f"{value:+.3f}"
    environment.filters["percent"] = lambda value: "–" if value is None or np.isnan(value) else f"{100 * value:.1f} %"
    return environment
