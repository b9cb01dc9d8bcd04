"""What the Evaluator wrote in, the models' counts and metrics on the test split out, also as the numbers of JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow_model_analysis as tfma
from numpy.typing import NDArray
from tensorflow_model_analysis import constants

from segpipe.config import Config
from segpipe.evaluate import picture_table
from segpipe.evaluate.gate import Verdict
from segpipe.metrics import bootstrap, confusion
from segpipe.metrics.measures import BOUNDARY, CALIBRATION, CONFUSION, OUTPUTS, or_none

VERDICT_FILE: Final = "verdict.json"
"""What `gate.Verdict.from_json` reads."""

WORST: Final = 3
WORST_FOLDER: Final = "worst"
WORST_INDEX: Final = "index.json"
"""The id, mean IoU and file of each of the WORST pictures, the worst first."""


@dataclass(frozen=True)
class Scores:
    """One model on the test split.

    Attributes:
      confusion: int64 [K, K], row = truth, column = prediction.
      boundary: int64 [3*K], as `metrics/boundary.py` reads it.
      calibration: int64 [3*BINS], as `metrics/calibration.py` reads it.
      metrics: by name, as in {"mean_iou": 0.672, "class_iou/cat": 0.71}; NaN where there is nothing to judge.
    """

    confusion: NDArray[np.int64]
    boundary: NDArray[np.int64]
    calibration: NDArray[np.int64]
    metrics: dict[str, float]


@dataclass(frozen=True)
class Evaluated:
    """Everything that an Evaluator left in its folder.

    Attributes:
      verdict: the gate's.
      candidate: its scores on the test split.
      champion: the last blessed model's on the same pictures, or None.
      pictures: the counts of each picture.
      intervals: how sure the scores are.
    """

    verdict: Verdict
    candidate: Scores
    champion: Scores | None
    pictures: picture_table.PictureTable
    intervals: bootstrap.Intervals


def read_all(folder: Path, config: Config) -> Evaluated:
    """Reads what lies in the folder of an Evaluator's `evaluation` output.

    Args:
      folder: of the ModelEvaluation artifact, here or a copy of it.
      config: the run.
    """
    candidate, champion = read(str(folder))
    pictures = picture_table.read(folder)
    gate = config.gate
    return Evaluated(
        verdict=Verdict.from_json((folder / VERDICT_FILE).read_text(encoding="utf-8")),
        candidate=candidate,
        champion=champion,
        pictures=pictures,
        intervals=bootstrap.intervals(pictures.candidate, pictures.champion, gate.confidence, gate.bootstrap_resamples),
    )


def numbers(evaluated: Evaluated, folder: Path, config: Config) -> dict[str, Any]:
    """The part of summary.json that says how good the model is.

    Args:
      evaluated: what `read_all` gave for `folder`.
      folder: of the evaluation.
      config: the run.
    """
    verdict, intervals = evaluated.verdict, evaluated.intervals
    worst = folder / WORST_FOLDER
    return {
        "metrics": {
            "candidate": _nested(evaluated.candidate.metrics),
            "baseline": _nested(evaluated.champion.metrics) if evaluated.champion else None,
        },
        "intervals": {
            "confidence": config.gate.confidence,
            "mean_iou": _ends(intervals.mean_iou),
            "difference": _ends(intervals.difference) if intervals.difference else None,
            "class_iou": dict(zip(config.data.classes, map(_ends, intervals.class_iou), strict=True)),
        },
        "blessed": verdict.blessed,
        "reasons": verdict.reasons,
        "override": verdict.override,
        "rules": [asdict(rule) for rule in verdict.rules],
        "worst": [
            {"id": one["id"], "mean_iou": one["mean_iou"], "picture": str(worst / one["file"])}
            for one in json.loads((worst / WORST_INDEX).read_text(encoding="utf-8"))
        ],
    }


def _ends(interval: bootstrap.Interval) -> dict[str, float | None]:
    return {"low": or_none(interval.low), "high": or_none(interval.high)}


def _nested(metrics: Mapping[str, float]) -> dict[str, Any]:
    """{"class_iou/cat": 0.7} as {"class_iou": {"cat": 0.7}}; NaN, where nothing could be judged, as None."""
    nested: dict[str, Any] = {}
    for name, value in metrics.items():
        number = None if math.isnan(value) else value
        group, _, member = name.partition("/")
        if member:
            nested.setdefault(group, {})[member] = number
        else:
            nested[group] = number
    return nested


def read(uri: str) -> tuple[Scores, Scores | None]:
    """Reads an Evaluator's `evaluation` output.

    Args:
      uri: of the ModelEvaluation artifact.

    Returns:
      The candidate's scores, and the baseline's or None where there was no baseline.
    """
    [overall] = [row for row in tfma.load_metrics(uri) if not row.slice_key.single_slice_keys]
    counts: dict[str, dict[str, NDArray[np.int64]]] = {}
    metrics: dict[str, dict[str, float]] = {}
    for metric in overall.metric_keys_and_values:
        if metric.key.is_diff:
            continue
        model = metric.key.model_name or constants.CANDIDATE_KEY
        if metric.key.name in OUTPUTS:
            values = np.array(metric.value.array_value.int64_values, np.int64)
            counts.setdefault(model, {})[metric.key.name] = values
        elif metric.value.WhichOneof("type") == "double_value":
            metrics.setdefault(model, {})[metric.key.name] = metric.value.double_value.value
    scores = {
        model: Scores(confusion.square(summed[CONFUSION]), summed[BOUNDARY], summed[CALIBRATION], metrics[model])
        for model, summed in counts.items()
    }
    return scores[constants.CANDIDATE_KEY], scores.get(constants.BASELINE_KEY)
