"""Looks at the logged requests of a run's deployed model, and writes the verdict and its page."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from segpipe.config import Config
from segpipe.errors import UserError
from segpipe.io import atomic
from segpipe.savedmodel.find import find_deployed
from segpipe.savedmodel.load import LoadedModel, load
from segpipe.serve import request_log as kept_requests
from segpipe.serve.request_log import Kept
from segpipe.watch import features, labels, page, reference
from segpipe.watch.drift import Drift, compare
from segpipe.watch.verdict import Accuracy, Verdict, accuracy, judge


@dataclass(frozen=True)
class Watched:
    """What a look at a window found.

    Attributes:
      verdict: ok, drift, degraded or too few, with reasons.
      version: of the deployed model.
      pictures: in the window, answered by that version.
      drift: per feature; None where the window is too small.
      accuracy: on labelled requests; None where too few have labels.
      page: the HTML page.
    """

    verdict: Verdict
    version: int
    pictures: int
    drift: Drift | None
    accuracy: Accuracy | None
    page: Path


def look(
    config: Config,
    kept_dir: Path,
    labels_dir: Path | None = None,
    model: LoadedModel | None = None,
    now_s: float | None = None,
    examples: Path | None = None,
) -> Watched:
    """Compares the requests of the last days with the training time.

    Writes `watch/verdict.json` and `watch/index.html` in the run's folder.

    Args:
      config: of the run.
      kept_dir: where the server keeps requests.
      labels_dir: masks that people drew, ID.png; None where there are none.
      model: the deployed version; the newest in the run's serving folder when left out.
      now_s: end of the window, Unix time; now when left out.
      examples: folder of those that the model was made from; the run's newest when left out.

    Raises:
      UserError: nothing is deployed, nothing was kept, or a label is wrong.
    """
    now_s = time.time() if now_s is None else now_s
    settings = config.watch
    if not kept_dir.is_dir():
        raise UserError(f"no requests were kept in {kept_dir}; serve with `segpipe serve RUN --keep {kept_dir}`.")
    model = model or load(find_deployed(config.output_path / "serving"))
    classes = list(config.data.classes)
    out = config.output_path / "watch"
    examples = examples or reference.newest_examples(config.output_path / "pipeline")
    expected = reference.of(model, classes, examples, out)
    everything = [one for one in kept_requests.read(kept_dir) if one.version == model.version and one.at_s <= now_s]
    window = [one for one in everything if one.at_s >= now_s - settings.window_days * 86400]
    found = None
    if len(window) >= settings.min_pictures:
        found = compare(
            expected.tables, features.of_kept(window, classes, expected.embedding), settings.false_alarm_rate
        )
    measured = _accuracy(window, kept_dir, labels_dir, expected, config)
    judged = judge(found, measured, settings.max_mean_iou_drop, settings.min_pictures, len(window))
    watched = Watched(judged, model.version, len(window), found, measured, out / "index.html")
    atomic.write_text(out / "verdict.json", json.dumps(_summary(watched, now_s), indent=2) + "\n")
    atomic.write_text(watched.page, page.render(config.name, watched, expected, _by_day(everything), classes))
    return watched


def _accuracy(
    window: list[Kept], kept_dir: Path, labels_dir: Path | None, expected: reference.Reference, config: Config
) -> Accuracy | None:
    counts = labels.margins(window, kept_dir, labels_dir, config) if labels_dir else None
    if counts is None or len(counts) < config.watch.min_labels:
        return None
    return accuracy(counts, expected.test_margins, config.gate.confidence, config.gate.bootstrap_resamples)


def _by_day(kept: list[Kept]) -> Mapping[str, list[Kept]]:
    days: dict[str, list[Kept]] = {}
    for one in kept:
        days.setdefault(time.strftime("%Y-%m-%d", time.gmtime(one.at_s)), []).append(one)
    return dict(sorted(days.items()))


def _summary(watched: Watched, now_s: float) -> dict[str, object]:
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s)),
        "status": watched.verdict.status,
        "reasons": watched.verdict.reasons,
        "version": watched.version,
        "pictures": watched.pictures,
        "drift": asdict(watched.drift) if watched.drift else None,
        "accuracy": asdict(watched.accuracy) if watched.accuracy else None,
    }
