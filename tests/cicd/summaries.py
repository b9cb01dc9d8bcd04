"""Summaries of runs, as `segpipe run` writes them, for the tests of what is made of them."""

from typing import Any


def summary(
    mean_iou: float = 0.672,
    baseline: float | None = 0.651,
    blessed: bool = True,
    rules: tuple[tuple[bool | None, str], ...] = (),
    class_iou: dict[str, float | None] | None = None,
    override: str = "",
    pictures: str = "/work/report/worst",
) -> dict[str, Any]:
    """What summary.json holds; there is no baseline where it is None. The worst pictures lie in `pictures`."""
    classes = class_iou or {"sea": 0.9, "land": 0.8, "water": None}
    metrics: dict[str, Any] = {"candidate": _metrics(mean_iou, classes), "baseline": None}
    if baseline is not None:
        metrics["baseline"] = _metrics(baseline, dict.fromkeys(classes, 0.5))
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
        "override": override,
        "rules": [
            {"name": "a rule", "value": 0.1, "limit": 0.2, "passed": passed, "sentence": sentence}
            for passed, sentence in rules
        ],
        "pushed": ["/work/serving/1"] if blessed else [],
        "pictures": {"test": 142, "train": 600, "eval": 140},
        "report": "/work/report/index.html",
        "intervals": {
            "confidence": 0.95,
            "mean_iou": {"low": mean_iou - 0.02, "high": mean_iou + 0.02},
            "difference": {"low": -0.001, "high": 0.043} if baseline is not None else None,
            "class_iou": {name: {"low": iou and iou - 0.1, "high": iou and iou + 0.1} for name, iou in classes.items()},
        },
        "worst": [{"id": f"tile_{n}", "mean_iou": n / 10, "picture": f"{pictures}/{n}.jpg"} for n in (1, 2)],
    }


def _metrics(mean_iou: float, class_iou: dict[str, Any]) -> dict[str, Any]:
    return {
        "mean_iou": mean_iou,
        "pixel_accuracy": 0.91,
        "frequency_weighted_iou": 0.84,
        "class_iou": dict(class_iou),
        "dice": dict.fromkeys(class_iou, 0.7),
    }
