"""Renders a Report as one self-contained page: no network, light and dark, a few hundred kilobytes."""

import base64
import functools
import io
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from numpy.typing import NDArray

from segpipe import schema
from segpipe.evaluate import charts, strips
from segpipe.evaluate.report import Report, Sample
from segpipe.evaluate.scores import Scores
from segpipe.io import atomic
from segpipe.metrics import boundary, calibration, confusion
from segpipe.palette import colorize, palette

_MAX_SAMPLES = 24


def write_report(report: Report, path: Path) -> None:
    """Writes the page, whole or not at all.

    Args:
      report: what to show.
      path: of the HTML file; its folder is made.
    """
    atomic.write_text(path, render(report))


def render(report: Report) -> str:
    """The page as HTML."""
    champion = report.champion
    drawings = {
        "class_bars": charts.class_bars(
            report.classes,
            report.candidate.confusion,
            champion.confusion if champion else None,
            report.intervals.class_iou if report.intervals else None,
        ),
        "heatmap": charts.confusion_heatmap(report.classes, report.candidate.confusion),
        "loss": charts.curve(report.history, "loss", ("loss", "val_loss")),
        "mean_iou": charts.curve(report.history, "mean IoU", ("mean_iou", "val_mean_iou")),
        "reliability": charts.reliability(report.candidate.calibration),
    }
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            colors=[f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in palette(len(report.classes)).tolist()],
            scores=_scores(report.candidate),
            champion_scores=_scores(champion) if champion else None,
            tolerance=boundary.tolerance_pixels(report.image_size),
            class_rows=_class_rows(report),
            charts={name: Markup(svg) for name, svg in drawings.items()},  # noqa: S704 (Matplotlib escapes its text.)
            worst=[_pictures(sample) for sample in report.gallery.worst[:_MAX_SAMPLES]],
            typical=[_pictures(sample) for sample in report.gallery.typical[:_MAX_SAMPLES]],
            by_class={
                name: [_pictures(sample) for sample in shown[:_MAX_SAMPLES]]
                for name, shown in report.gallery.by_class.items()
            },
        )
    )


def _scores(scores: Scores) -> dict[str, float]:
    counts = scores.confusion
    table = {
        "mean IoU": confusion.mean_iou(counts),
        "mean Dice": np.nanmean(confusion.dice(counts)) if counts.any() else np.nan,
        "pixel accuracy": confusion.pixel_accuracy(counts),
        "frequency-weighted IoU": confusion.frequency_weighted_iou(counts),
    }
    if scores.boundary is not None:
        table["mean Boundary IoU"] = boundary.mean_boundary_iou(scores.boundary)
    if scores.calibration is not None:
        table["calibration error"] = calibration.expected_calibration_error(scores.calibration)
    return {name: float(value) for name, value in table.items()}


def _class_rows(report: Report) -> list[dict[str, Any]]:
    counts = report.candidate.confusion
    columns = {
        "iou": confusion.class_iou(counts),
        "dice": confusion.dice(counts),
        "precision": confusion.precision(counts),
        "recall": confusion.recall(counts),
        "share": counts.sum(axis=1) / max(counts.sum(), 1),
    }
    if report.candidate.boundary is not None:
        columns["boundary_iou"] = boundary.class_boundary_iou(report.candidate.boundary)
    if report.champion is not None:
        columns["champion_iou"] = confusion.class_iou(report.champion.confusion)
    rows = [
        {"name": name, **{column: float(values[class_id]) for column, values in columns.items()}}
        for class_id, name in enumerate(report.classes)
    ]
    if report.intervals is not None:
        for row, interval in zip(rows, report.intervals.class_iou, strict=True):
            row["interval"] = interval
    return rows


def _pictures(sample: Sample) -> dict[str, Any]:
    return {
        "id": sample.id,
        "mean_iou": sample.mean_iou,
        "wrong": float(strips.wrong(sample).sum() / max((sample.truth != schema.IGNORE).sum(), 1)),
        "images": [
            ("picture", _data_url(sample.image, photo=True)),
            ("truth", _data_url(colorize(sample.truth))),
            ("prediction", _data_url(colorize(sample.prediction))),
            ("errors", _data_url(strips.errors(sample), photo=True)),
        ],
    }


def _data_url(pixels: NDArray[np.uint8], photo: bool = False) -> str:
    image = strips.fit(pixels, photo)
    buffer = io.BytesIO()
    if photo:
        image.save(buffer, "JPEG", quality=85)
    else:
        image.quantize(256).save(buffer, "PNG", optimize=True)
    kind = "jpeg" if photo else "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


@functools.cache
def environment() -> Environment:
    """The templates and filters of the pages."""
    environment = Environment(
        loader=PackageLoader("segpipe.evaluate"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["score"] = lambda value: _number(value, "{:.3f}")
    environment.filters["signed"] = lambda value: _number(value, "{:+.3f}")
    environment.filters["percent"] = lambda value: _number(None if value is None else 100 * value, "{:.1f} %")
    return environment


def _number(value: float | None, form: str) -> str:
    if value is None or np.isnan(value):
        return "–"
    return form.format(round(value, 3) + 0.0)  # Without the zero, "-0.000" appears.
