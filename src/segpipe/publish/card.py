"""Renders a model card with the metadata that the Hub reads; the same facts give the same bytes."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from segpipe.errors import DataError
from segpipe.savedmodel.card import CARD

TEMPLATE = Path(__file__).parent / "templates" / "card.md.j2"
TASK = "image-segmentation"
HUB_METRICS = {"mean_iou": "mean_iou", "pixel_accuracy": "accuracy"}
"""Metrics that the Hub knows by a name of its own; any other is reported under ours."""


@dataclass(frozen=True)
class CardInput:
    """What a model card says. Whatever is left at its default gets no section.

    Attributes:
      repo_id: "user/name".
      version: as in v1764000000.
      classes: names, in the order of the class ids; palette holds an (r, g, b) each.
      image_size: side in pixels of the square that the model sees.
      architecture: as in unet_mobilenetv2; weights says where they started, weights_license under which licence.
      metrics: on the test split, as in {"mean_iou": 0.67, "class_iou/cat": 0.71}; NaN is left out.
      slices: the same by slice, as in {"breed=siamese": {"mean_iou": 0.7}}.
      blessed: the gate's verdict, or None where no gate judged; rules are its sentences.
      training: the recipe, as in {"epochs": 20}.
      splits: pictures per split.
      dataset_name: for people; dataset_id is its id on the Hub, where it has one.
      license: identifier of the model's licence on the Hub.
      pictures: paths in the repository of pictures to show.
      exports: paths in the repository of other formats, with a sentence each.
      versions: of packages; digests are of the config and the code.
    """

    repo_id: str
    version: str
    classes: Sequence[str] = ()
    palette: Sequence[Sequence[int]] = ()
    image_size: int | None = None
    architecture: str = ""
    weights: str = ""
    weights_license: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    slices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    blessed: bool | None = None
    rules: Sequence[str] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    splits: Mapping[str, int] = field(default_factory=dict)
    dataset_name: str = ""
    dataset_id: str = ""
    dataset_license: str = ""
    dataset_url: str = ""
    license: str = "apache-2.0"
    intended_use: str = ""
    limits: str = ""
    pictures: Sequence[str] = ()
    exports: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


def about(saved_model: Path) -> dict[str, Any]:
    """The part of a `CardInput` that a SavedModel of segpipe carries in itself; empty for another SavedModel.

    Raises:
      DataError: its segpipe.json cannot be read.
    """
    path = saved_model / CARD
    if not path.is_file():
        return {}
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON: {error}; export the model again.") from None
    known = ("classes", "palette", "image_size", "architecture", "weights", "weights_license", "versions")
    digests = {"config": raw["config_digest"]} if "config_digest" in raw else {}
    return {**{key: raw[key] for key in known if key in raw}, "digests": digests}


def render(card: CardInput) -> bytes:
    """README.md: YAML for the Hub, Markdown for people."""
    data = ModelCardData(
        license=card.license,
        library_name="tensorflow",
        pipeline_tag=TASK,
        tags=[tag for tag in ("semantic-segmentation", "tensorflow", "tfx", "segpipe", card.architecture) if tag],
        datasets=[card.dataset_id] if card.dataset_id else None,
        metrics=sorted({HUB_METRICS[name] for name in card.metrics if name in HUB_METRICS}) or None,
        model_name=card.repo_id.split("/")[-1],
        eval_results=_eval_results(card) or None,
    )
    text = ModelCard.from_template(data, template_path=str(TEMPLATE), **_sections(card)).content
    return (text.rstrip() + "\n").encode()


def _eval_results(card: CardInput) -> list[EvalResult]:
    """One result per metric and slice; a slice is a configuration of the data set, which keeps slices apart."""
    name = card.dataset_name or card.repo_id.split("/")[-1]
    dataset: dict[str, Any] = {
        "task_type": TASK,
        "dataset_type": card.dataset_id or re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower(),
        "dataset_name": name,
        "dataset_split": "test",
    }
    groups: list[tuple[str | None, Mapping[str, float]]] = [(None, card.metrics), *sorted(card.slices.items())]
    return [
        EvalResult(
            **dataset,
            dataset_config=config,
            metric_type=HUB_METRICS.get(metric, metric.split("/")[0]),
            metric_name=_metric_name(metric),
            metric_value=round(value, 6),
        )
        for config, metrics in groups
        for metric, value in sorted(metrics.items())
        if math.isfinite(value) and not (config and "/" in metric)  # Every class in every slice would hide the rest.
    ]


def _sections(card: CardInput) -> dict[str, Any]:
    finite = {name: value for name, value in card.metrics.items() if math.isfinite(value)}
    return {
        "card": card,
        "name": card.repo_id.split("/")[-1],
        "overall": {_metric_name(name): value for name, value in sorted(finite.items()) if "/" not in name},
        "per_class": _per_class(card, finite),
        "slice_metrics": sorted({name for metrics in card.slices.values() for name in metrics if "/" not in name}),
        "metric_name": _metric_name,
    }


def _per_class(card: CardInput, metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Metric → class → value, of the metrics that are given by class; classes in the order of their ids."""
    names = sorted({name.split("/")[0] for name in metrics if "/" in name})
    return {
        _metric_name(name): {c: metrics[f"{name}/{c}"] for c in card.classes if f"{name}/{c}" in metrics}
        for name in names
    }


def _metric_name(metric: str) -> str:
    """class_iou/cat → IoU of cat; mean_iou → mean IoU."""
    metric, _, member = metric.partition("/")
    words = metric.removeprefix("class_").replace("_", " ").replace("iou", "IoU")
    return f"{words} of {member}" if member else words
