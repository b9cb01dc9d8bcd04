"""Writes evaluation.json and a page on a SavedModel and prepared data: the work of `segpipe evaluate`."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segpipe.config.evaluate import Evaluate
from segpipe.errors import DataError
from segpipe.evaluate import gallery, slices
from segpipe.evaluate.count_locally import Evaluation, evaluate
from segpipe.evaluate.report import Report
from segpipe.evaluate.report_page import write_report
from segpipe.io import atomic
from segpipe.metrics import bootstrap, measures
from segpipe.savedmodel.load import LoadedModel, load_to_count

JSON_FILE = "evaluation.json"
PAGE_FILE = "index.html"


def evaluate_into(
    out: Path,
    model_dir: str,
    data: str,
    split: str,
    shards: Sequence[str],
    settings: Evaluate,
    confidence: float,
    classes: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Evaluates and writes both files.

    Args:
      out: folder for them.
      model_dir: a SavedModel.
      data: how a person called the data.
      split: of it.
      shards: its TFRecord files.
      settings: which slices to tell apart.
      confidence: of the intervals.
      classes: what the class ids of the data mean, where that is known.

    Returns:
      What evaluation.json holds.

    Raises:
      DataError: the model or the data is not what it should be.
    """
    model = load_to_count(model_dir)
    if classes is not None and tuple(classes) != model.classes:
        raise DataError(
            f"{data} has the classes {', '.join(classes)}, the model {', '.join(model.classes)}: "
            "class ids would be taken for others. Give data with the model's classes in its order."
        )
    return write(out, model_dir, data, split, shards, settings, confidence, model, evaluate(model, shards, settings))


def write(
    out: Path,
    model_dir: str,
    data: str,
    split: str,
    shards: Sequence[str],
    settings: Evaluate,
    confidence: float,
    model: LoadedModel,
    evaluated: Evaluation,
) -> dict[str, Any]:
    """Writes both files of what has been counted; `model` predicts the pictures that the page shows once more.

    Returns:
      What evaluation.json holds.
    """
    intervals = bootstrap.intervals(evaluated.pictures.candidate, None, confidence)
    scored = slices.score(evaluated.pictures, settings.min_slice_pictures)
    shown = gallery.choose(model, shards, evaluated.pictures)
    report = Report(
        name=f"{Path(model_dir).name} on {Path(data).name}",
        when=time.strftime("%Y-%m-%d %H:%M"),
        verdict=None,
        classes=model.classes,
        image_size=model.image_size,
        candidate=evaluated.scores,
        intervals=intervals,
        confidence=confidence,
        slices=scored,
        gallery=shown,
        splits={split: len(evaluated.pictures)},
        facts={"model": model_dir, "data": data, "data digest": evaluated.pictures.data_digest},
    )
    write_report(report, out / PAGE_FILE)
    result = {
        "model": model_dir,
        "data": data,
        "split": split,
        **_numbers(evaluated, model.classes, intervals, confidence, scored),
        "report": str(out / PAGE_FILE),
    }
    atomic.write_text(out / JSON_FILE, json.dumps(result, indent=2) + "\n")
    return result


def _numbers(
    evaluated: Evaluation,
    classes: Sequence[str],
    intervals: bootstrap.Intervals,
    confidence: float,
    scored: Sequence[slices.SliceScore],
) -> dict[str, Any]:
    return {
        "pictures": len(evaluated.pictures),
        "data_digest": evaluated.pictures.data_digest,
        "metrics": measures.measure(evaluated.sums, classes),
        "mean_iou_interval": {
            "confidence": confidence,
            "low": measures.or_none(intervals.mean_iou.low),
            "high": measures.or_none(intervals.mean_iou.high),
        },
        "slices": {one.name: {"pictures": one.pictures, "mean_iou": measures.or_none(one.mean_iou)} for one in scored},
    }
