"""Numbers in, SVG drawings out that take the page's text colour, so that they read on light and dark."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from segpipe.evaluate import confusion as cm
from segpipe.preprocess.palette import palette

_INK = "#010203"
"""Stands for the page's text colour while Matplotlib draws."""

_MAX_HEATMAP_CLASSES = 40
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # Text stays text: smaller, searchable, read aloud.
    "svg.hashsalt": "segpipe",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "axes.titlesize": 11,
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


def training_curves(history: Sequence[Mapping[str, Any]]) -> str:
    """Loss and mean IoU over the epochs.

    Args:
      history: one dict per epoch with any of epoch, loss, val_loss, mean_iou and val_mean_iou.
    """
    colors = palette(2) / 255
    epochs = [entry.get("epoch", number) for number, entry in enumerate(history, start=1)]
    with rc_context(_STYLE):
        figure = Figure(figsize=(8, 2.9), layout="constrained")
        left, right = figure.subplots(1, 2)
        for axes, title, keys in (
            (left, "loss", (("loss", "train"), ("val_loss", "eval"))),
            (right, "mean IoU", (("mean_iou", "train"), ("val_mean_iou", "eval"))),
        ):
            for color, (key, label) in zip(colors, keys, strict=True):
                if any(key in entry for entry in history):
                    values = [entry.get(key, np.nan) for entry in history]
                    axes.plot(epochs, values, color=color, label=label, marker="o", markersize=3)
            axes.set_title(title, loc="left")
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend()
        right.set_ylim(0, 1)
        return _svg(figure, "training")


def class_bars(classes: Sequence[str], candidate: NDArray[np.int64], champion: NDArray[np.int64] | None) -> str:
    """IoU of each class as bars, beside the champion's where there is one.

    Args:
      classes: names, in the order of the class ids.
      candidate: confusion counts int64 [K, K].
      champion: likewise, or None.
    """
    models = [("this model", candidate), *([("champion", champion)] if champion is not None else [])]
    colors = palette(2) / 255
    rows = np.arange(len(classes))
    height = 0.8 / len(models)
    with rc_context(_STYLE):
        figure = Figure(figsize=(8, 0.8 + 0.34 * len(classes) * (0.6 + 0.4 * len(models))), layout="constrained")
        axes = figure.subplots()
        for number, (label, counts) in enumerate(models):
            values = np.nan_to_num(cm.class_iou(counts))
            offset = (number - (len(models) - 1) / 2) * height
            bars = axes.barh(rows + offset, values, height * 0.9, color=colors[number], label=label)
            axes.bar_label(bars, fmt="%.3f", padding=3)
        axes.set_yticks(rows, classes)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.08)
        axes.set_xlabel("IoU")
        axes.grid(visible=False, axis="y")
        if len(models) > 1:
            figure.legend(loc="outside upper right", ncols=2)
        return _svg(figure, "class-iou")


def confusion_heatmap(classes: Sequence[str], counts: NDArray[np.int64]) -> str:
    """Where the pixels of each true class went, in percent of the class.

    Args:
      classes: names; with more than 40, those with the most errors are drawn.
      counts: int64 [K, K].
    """
    if len(classes) > _MAX_HEATMAP_CLASSES:
        errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diagonal(counts)
        kept = np.sort(np.argsort(-errors, kind="stable")[:_MAX_HEATMAP_CLASSES])
        classes, counts = [classes[i] for i in kept], counts[np.ix_(kept, kept)]
    truth = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, truth, out=np.full(counts.shape, np.nan), where=truth > 0)
    side = 2.2 + 0.55 * len(classes)
    with rc_context({**_STYLE, "axes.grid": False}):
        figure = Figure(figsize=(side + 0.8, side), layout="constrained")
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
        _label_cells(axes, share)
        return _svg(figure, "confusion")


def _label_cells(axes: Axes, share: NDArray[np.float64]) -> None:
    size = 10 if len(share) <= 12 else 6
    for (row, column), value in np.ndenumerate(share):
        if np.isnan(value):
            text = "–"
        elif 0 < value < 0.001 or 0.999 < value < 1:
            text = "<0.1" if value < 0.5 else ">99.9"
        else:
            text = f"{100 * value:.1f}" if len(share) <= 12 else f"{100 * value:.0f}"
        color = "white" if value > 0.55 else "#102030" if not np.isnan(value) else _INK
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=color, fontsize=size)


def _svg(figure: Figure, name: str) -> str:
    """The drawing as an <svg> element for a page that holds several; `name` keeps their ids apart."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r'<svg \1aria-hidden="true"', svg, count=1)
    svg = re.sub(r'(<svg [^>]*?)height="[^"]*"', r"\1", svg, count=1)
    return svg.replace(_INK, "currentColor")
