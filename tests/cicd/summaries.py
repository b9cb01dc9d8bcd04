"""Summaries of runs, as `segpipe run` writes them, for the tests of what is made of them."""

from typing import Any


def summary(
    mean_iou: float = 0.672,
    baseline: float | None = 0.651,
    blessed: bool = True,
    reasons: tuple[str, ...] = (),
    class_iou: dict[str, float | None] | None = None,
    difference: dict[str, float] | None = None,
) -> dict[str, Any]:
    """What summary.json holds; `baseline` and `difference` are left out where they are None."""
    classes = class_iou or {"sea": 0.9, "land": 0.8, "water": None}
    metrics: dict[str, Any] = {"candidate": _metrics(mean_iou, classes), "baseline": None}
    if baseline is not None:
        metrics["baseline"] = _metrics(baseline, dict.fromkeys(classes, 0.5))
    if difference:
        metrics["difference"] = {"mean_iou": difference}
    return {
        "name": "demo",
        "started": "2026-11-24T04:00:00",
        "seconds": 92.5,
        "status": "done",
        "error": None,
        "components": {
            "ExampleGen": {"status": "reused", "seconds": 0.01, "peak_rss_mb": 900},
            "Trainer": {"status": "done", "seconds": 61.25, "peak_rss_mb": 2100},
        },
        "metrics": metrics,
        "blessed": blessed,
        "reasons": list(reasons),
        "pushed": ["/work/serving/1"] if blessed else [],
        "pictures": {"test": 142, "train": 600, "eval": 140},
        "report": "/work/report/index.html",
    }


def _metrics(mean_iou: float, class_iou: dict[str, Any]) -> dict[str, Any]:
    return {
        "mean_iou": mean_iou,
        "pixel_accuracy": 0.91,
        "frequency_weighted_iou": 0.84,
        "class_iou": dict(class_iou),
        "dice": dict.fromkeys(class_iou, 0.7),
    }
