"""Writes and reads what the Evaluator found, once: report, card, summary and pull request all read it here.

In the folder of the evaluation lie evidence.json (scores, intervals, which pictures to show), verdict.json, the counts
of each picture as Parquet (`picture_table`), the pictures to show in pictures/, and the worst as strips in worst/.
"""

import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from segpipe.errors import UserError
from segpipe.evaluate import picture_table, strips
from segpipe.evaluate.gate import Verdict
from segpipe.evaluate.report import Gallery, Sample
from segpipe.evaluate.scores import Scores
from segpipe.io import files
from segpipe.metrics.bootstrap import Interval, Intervals
from segpipe.metrics.measures import or_none

FILE: Final = "evidence.json"
VERDICT_FILE: Final = "verdict.json"
"""What `gate.Verdict.from_json` reads."""

WORST: Final = 3
WORST_FOLDER: Final = "worst"
WORST_INDEX: Final = "index.json"
"""The id, mean IoU and file of each of the WORST pictures, the worst first."""

_PICTURES: Final = "pictures"
_LAYERS: Final = ("image", "truth", "prediction")


@dataclass(frozen=True)
class Evidence:
    """Everything that a verdict rests on.

    Attributes:
      verdict: the gate's.
      candidate: its scores on the test split.
      champion: the last blessed model's on the same pictures, or None.
      intervals: how sure the scores are.
      gallery: the pictures that are worth a look.
      pictures: the counts of each picture.
    """

    verdict: Verdict
    candidate: Scores
    champion: Scores | None
    intervals: Intervals
    gallery: Gallery
    pictures: picture_table.PictureTable


def write(
    folder: str,
    verdict: Verdict,
    candidate: Scores,
    champion: Scores | None,
    intervals: Intervals,
    gallery: Gallery,
) -> None:
    """Writes everything but the counts of each picture, which are there already.

    Args:
      folder: path or URL of the evaluation.
      verdict: the gate's.
      candidate: its scores.
      champion: the champion's, or None.
      intervals: of the candidate, and of its difference to the champion.
      gallery: the pictures to show.
    """
    samples = list({sample.id: sample for sample in gallery.samples()}.values())
    for number, sample in enumerate(samples):
        for layer in _LAYERS:
            _write(folder, f"{_PICTURES}/{number}.{layer}.png", _png(getattr(sample, layer)))
    worst = [
        {"id": sample.id, "mean_iou": sample.mean_iou, "file": f"{number}.jpg"}
        for number, sample in enumerate(gallery.worst[:WORST], 1)
    ]
    for entry, sample in zip(worst, gallery.worst, strict=False):
        _write(folder, f"{WORST_FOLDER}/{entry['file']}", strips.strip(sample))
    _write(folder, f"{WORST_FOLDER}/{WORST_INDEX}", json.dumps(worst).encode())
    _write(folder, VERDICT_FILE, verdict.to_json().encode())
    content = {
        "candidate": _scores_to_json(candidate),
        "champion": _scores_to_json(champion) if champion else None,
        "intervals": _without_nan(asdict(intervals)),
        "samples": [{"id": sample.id, "mean_iou": _without_nan(sample.mean_iou)} for sample in samples],
        "worst": [sample.id for sample in gallery.worst],
        "typical": [sample.id for sample in gallery.typical],
        "by_class": {name: [sample.id for sample in chosen] for name, chosen in gallery.by_class.items()},
    }
    _write(folder, FILE, json.dumps(content).encode())


def read(folder: str | Path) -> Evidence:
    """Reads the folder of an evaluation.

    Args:
      folder: path or URL.

    Raises:
      UserError: an earlier version of segpipe wrote it.
    """
    folder = str(folder)
    content = _content(folder)
    samples = {entry["id"]: _read_sample(folder, number, entry) for number, entry in enumerate(content["samples"])}

    def chosen(ids: Iterable[str]) -> list[Sample]:
        return [samples[name] for name in ids]

    return Evidence(
        verdict=Verdict.from_json(files.read(files.join(folder, VERDICT_FILE)).decode()),
        candidate=_scores(content["candidate"]),
        champion=_scores(content["champion"]) if content["champion"] else None,
        intervals=_intervals(content["intervals"]),
        gallery=Gallery(
            chosen(content["worst"]),
            chosen(content["typical"]),
            {name: chosen(ids) for name, ids in content["by_class"].items()},
        ),
        pictures=picture_table.read(folder),
    )


def read_scores(folder: str | Path) -> tuple[Scores, Scores | None]:
    """The scores of the candidate, and of the champion if there was one; nothing else is read."""
    content = _content(str(folder))
    return _scores(content["candidate"]), _scores(content["champion"]) if content["champion"] else None


def numbers(evidence: Evidence, folder: Path, confidence: float, classes: Sequence[str]) -> dict[str, Any]:
    """The part of summary.json that says how good the model is.

    Args:
      evidence: what `read` gave for `folder`.
      folder: of the evaluation.
      confidence: of the intervals.
      classes: names, in the order of the class ids.
    """
    verdict, intervals = evidence.verdict, evidence.intervals
    worst = folder / WORST_FOLDER
    return {
        "metrics": {
            "candidate": _nested(evidence.candidate.metrics),
            "baseline": _nested(evidence.champion.metrics) if evidence.champion else None,
        },
        "intervals": {
            "confidence": confidence,
            "mean_iou": _ends(intervals.mean_iou),
            "difference": _ends(intervals.difference) if intervals.difference else None,
            "class_iou": dict(zip(classes, map(_ends, intervals.class_iou), strict=True)),
        },
        "blessed": verdict.blessed,
        "reasons": verdict.reasons,
        "override": verdict.override,
        "rules": [asdict(rule) for rule in verdict.rules],
        "worst": [
            {"id": picture["id"], "mean_iou": picture["mean_iou"], "picture": str(worst / picture["file"])}
            for picture in json.loads((worst / WORST_INDEX).read_text(encoding="utf-8"))
        ],
    }


def _content(folder: str) -> dict[str, Any]:
    path = files.join(folder, FILE)
    if not files.exists(path):
        raise UserError(f"{folder} has no {FILE}: an earlier segpipe judged this model; run the config again.")
    return json.loads(files.read(path))


def _read_sample(folder: str, number: int, entry: Mapping[str, Any]) -> Sample:
    layers = {}
    for layer in _LAYERS:
        data = files.read(files.join(folder, f"{_PICTURES}/{number}.{layer}.png"))
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            layers[layer] = np.asarray(picture)
    return Sample(entry["id"], **layers, mean_iou=entry["mean_iou"])


def _write(folder: str, name: str, content: bytes) -> None:
    with files.open_to_write(files.join(folder, name)) as stream:
        stream.write(content)


def _png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _scores_to_json(scores: Scores) -> dict[str, Any]:
    counts = {"confusion": scores.confusion, "boundary": scores.boundary, "calibration": scores.calibration}
    return {
        **{name: None if count is None else count.tolist() for name, count in counts.items()},
        "metrics": _without_nan(dict(scores.metrics)),
    }


def _scores(content: Mapping[str, Any]) -> Scores:
    def counts(name: str) -> np.ndarray | None:
        return None if content[name] is None else np.array(content[name], np.int64)

    return Scores(
        confusion=np.array(content["confusion"], np.int64),
        boundary=counts("boundary"),
        calibration=counts("calibration"),
        metrics={name: _number(value) for name, value in content["metrics"].items()},
    )


def _intervals(content: Mapping[str, Any]) -> Intervals:
    difference = content["difference"]
    return Intervals(
        mean_iou=_interval(content["mean_iou"]),
        class_iou=tuple(_interval(entry) for entry in content["class_iou"]),
        difference=_interval(difference) if difference else None,
    )


def _interval(content: Mapping[str, Any]) -> Interval:
    return Interval(**{name: _number(value) for name, value in content.items()})


def _without_nan(value: Any) -> Any:
    """The value with None for each NaN, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _without_nan(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(member) for member in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _ends(interval: Interval) -> dict[str, float | None]:
    return {"low": or_none(interval.low), "high": or_none(interval.high)}


def _nested(metrics: Mapping[str, float]) -> dict[str, Any]:
    """{"class_iou/cat": 0.7} as {"class_iou": {"cat": 0.7}}; NaN, if nothing could be judged, as None."""
    nested: dict[str, Any] = {}
    for name, value in metrics.items():
        group, _, member = name.partition("/")
        if member:
            nested.setdefault(group, {})[member] = _without_nan(value)
        else:
            nested[group] = _without_nan(value)
    return nested
