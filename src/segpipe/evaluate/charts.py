"""Draws numbers as SVG in the page's text colour, to be read on light and dark.

A drawing is as wide as a phone; where there is nothing to draw, it is empty.
"""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from segpipe.metrics import calibration as calibration_counts
from segpipe.metrics import confusion
from segpipe.metrics.bootstrap import Interval
from segpipe.palette import palette

Counts = NDArray[np.int64]

_INK = "#010203"
"""Stands for the page's text colour while Matplotlib draws."""

_WIDTH_INCHES = 4.6
_MAX_BARS = 30
_MAX_HEATMAP_CLASSES = 40
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # Text stays text: smaller, searchable, read aloud.
    "svg.hashsalt": "segpipe",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _INK,
    "grid.alpha": 0.15,
    "axes.grid": True,
    "legend.frameon": False,
    "lines.linewidth": 2,
}


def curve(history: Sequence[Mapping[str, Any]], title: str, keys: tuple[str, str]) -> str:
    """A number over the epochs, for training and evaluation.

    Args:
      history: one dict per epoch; epoch, and any of `keys`.
      title: what the number is.
      keys: its name in training, then in evaluation.
    """
    present = [(key, label) for key, label in zip(keys, ("train", "eval"), strict=True) if _has(history, key)]
    if not present:
        return ""
    epochs = [entry.get("epoch", number) for number, entry in enumerate(history, start=1)]
    colors = dict(zip(keys, palette(2) / 255, strict=True))
    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_INCHES, 2.7), layout="constrained")
        axes = figure.subplots()
        for key, label in present:
            values = [np.nan if entry.get(key) is None else entry[key] for entry in history]
            axes.plot(epochs, values, color=colors[key], label=label, marker="o", markersize=3)
        axes.set_title(title, loc="left")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
        axes.legend()
        return _svg(figure, f"curve-{keys[0]}", f"{title} over {len(history)} epochs")


def class_bars(
    classes: Sequence[str],
    candidate: Counts,
    champion: Counts | None = None,
    intervals: Sequence[Interval] | None = None,
) -> str:
    """IoU of each class as bars, beside the champion's where there is one.

    Args:
      classes: names; with more than 30, those with the lowest IoU are drawn.
      candidate: confusion counts int64 [K, K].
      champion: likewise, or None.
      intervals: of the candidate's IoU, one for each class.
    """
    measured = confusion.class_iou(candidate)
    # NaN, a class that does not occur, comes last.
    kept = sorted(np.argsort(measured, kind="stable")[:_MAX_BARS].tolist())
    iou = np.nan_to_num(measured)
    models = [("this model", iou)]
    if champion is not None:
        models.append(("champion", np.nan_to_num(confusion.class_iou(champion))))
    colors = palette(2) / 255
    rows = np.arange(len(kept))
    height = 0.8 / len(models)
    with rc_context(_STYLE):
        figure_height = 0.8 + (0.34 if len(models) == 1 else 0.48) * len(kept)
        figure = Figure(figsize=(_WIDTH_INCHES, figure_height), layout="constrained")
        axes = figure.subplots()
        for number, (label, values) in enumerate(models):
            offset = (number - (len(models) - 1) / 2) * height
            axes.barh(rows + offset, values[kept], height * 0.9, color=colors[number], label=label)
        if intervals is not None:
            low, high = np.array([(intervals[k].low, intervals[k].high) for k in kept]).T
            ends = [np.clip(iou[kept] - low, 0, None), np.clip(high - iou[kept], 0, None)]
            offset = -(len(models) - 1) / 2 * height
            axes.errorbar(iou[kept], rows + offset, xerr=ends, fmt="none", ecolor=_INK, capsize=3, lw=1.2)
        axes.set_yticks(rows, [classes[k] for k in kept])
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xlabel("IoU")
        axes.grid(visible=False, axis="y")
        if len(models) > 1:
            figure.legend(loc="outside upper right", ncols=2)
        return _svg(figure, "class-iou", "IoU of each class; the table below has the numbers")


def confusion_heatmap(classes: Sequence[str], counts: Counts) -> str:
    """Where the pixels of each true class went, in percent of the class.

    Args:
      classes: names; with more than 40, those with the most errors are drawn.
      counts: int64 [K, K].
    """
    if len(classes) > _MAX_HEATMAP_CLASSES:
        errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diagonal(counts)
        kept = sorted(np.argsort(-errors, kind="stable")[:_MAX_HEATMAP_CLASSES].tolist())
        classes, counts = [classes[i] for i in kept], counts[np.ix_(kept, kept)]
    truth = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, truth, out=np.full(counts.shape, np.nan), where=truth > 0)
    side = 1.6 + 0.6 * len(classes)
    with rc_context({**_STYLE, "axes.grid": False}):
        figure = Figure(figsize=(side + 0.6, side), layout="constrained")
        axes = figure.subplots()
        axes.pcolormesh(share, cmap="Blues", vmin=0, vmax=1, edgecolors="none")
        axes.invert_yaxis()
        axes.set_aspect("equal")
        centers = np.arange(len(classes)) + 0.5
        axes.set_xticks(centers, classes, rotation=45, ha="right")
        axes.set_yticks(centers, classes)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        _label_cells(axes, share)
        return _svg(figure, "confusion", "Confusion matrix: " + _largest_confusion(classes, share))


def reliability(counts: Counts | None) -> str:
    """How often a pixel is right, over how sure the model was; the diagonal is perfect.

    Args:
      counts: int64 [3*BINS] as `calibration.py` reads it, or None.
    """
    if counts is None or not counts.any():
        return ""
    confidence, accuracy, share = calibration_counts.reliability(counts)
    filled = share > 0
    with rc_context(_STYLE):
        figure = Figure(figsize=(3.4, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=_INK, lw=1, ls="--", alpha=0.6)
        axes.bar(
            (np.arange(calibration_counts.BINS) + 0.5) / calibration_counts.BINS,
            share,
            1 / calibration_counts.BINS,
            color=palette(2)[1] / 255,
            alpha=0.5,
            label="share of the pixels",
        )
        axes.plot(confidence[filled], accuracy[filled], color=palette(1)[0] / 255, marker="o", ms=4, label="accuracy")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_aspect("equal")
        axes.set_xlabel("confidence")
        axes.legend(loc="upper left")
        return _svg(figure, "reliability", "Accuracy over confidence")


def _has(history: Sequence[Mapping[str, Any]], key: str) -> bool:
    return any(entry.get(key) is not None for entry in history)


def _label_cells(axes: Axes, share: NDArray[np.float64]) -> None:
    few = len(share) <= 12
    for (row, column), value in np.ndenumerate(share):
        if np.isnan(value):
            text = "–"
        elif 0 < value < 0.001 or 0.999 < value < 1:
            text = "<0.1" if value < 0.5 else ">99.9"
        else:
            text = f"{100 * value:.1f}" if few else f"{100 * value:.0f}"
        color = _INK if np.isnan(value) else "white" if value > 0.55 else "#102030"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=color, fontsize=9 if few else 7)


def _largest_confusion(classes: Sequence[str], share: NDArray[np.float64]) -> str:
    """The gist of the matrix in words."""
    off = np.where(np.eye(len(classes), dtype=bool) | np.isnan(share), 0.0, share)
    if not off.any():
        return "no class is taken for another."
    true, predicted = divmod(int(off.argmax()), len(classes))
    return f"{classes[true]} is taken for {classes[predicted]} most, in {100 * off.max():.1f} % of its pixels."


def _svg(figure: Figure, name: str, description: str) -> str:
    """The drawing as an <svg> element for a page that holds several; `name` keeps their ids apart."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    width = 72 * figure.get_size_inches()[0]
    label = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    style = f"min-width: {0.85 * width:.0f}px; max-width: {1.5 * width:.0f}px"
    svg = re.sub(r'^<svg ([^>]*?)width="[^"]*"', rf'<svg \1role="img" aria-label="{label}" style="{style}"', svg)
    svg = re.sub(r'^(<svg [^>]*?)height="[^"]*"', r"\1", svg)
    return svg.replace(_INK, "currentColor")
