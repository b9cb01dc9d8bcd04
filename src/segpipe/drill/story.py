"""Drills a run: its model meets a harder world, and every stage is the product's own pipeline.

1. Span 1 trains and deploys the run's model. 2. Requests as in training are watched: all should be well. 3. Harder ones
come, without labels: is it noticed? 4. Labels come in: is it confirmed? 5. Spans 1 and 2 retrain, once per answer; the
gate decides which is deployed. 6. Every model is judged on the test pictures of both spans.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segpipe import schema
from segpipe.config import Config, checked
from segpipe.config.drill import Answer
from segpipe.drill import clients, spans
from segpipe.drill.runs import Outcome, Runs, digest
from segpipe.drill.spans import Spans
from segpipe.errors import RunError
from segpipe.ingest import example
from segpipe.ingest.picture import open_picture
from segpipe.io import atomic
from segpipe.metrics import confusion
from segpipe.metrics.bootstrap import Interval, intervals
from segpipe.pipeline.local import provenance
from segpipe.pipeline.local import run as pipeline_run
from segpipe.savedmodel.load import LoadedModel, load, size_mb
from segpipe.savedmodel.native_size import at_size
from segpipe.serve import request_log as kept_requests
from segpipe.watch import window
from segpipe.watch.reference import margins_of

_BATCH = 16
_SHOWN = 6

Tell = Callable[[str], None]
Margins = NDArray[np.int64]


@dataclass(frozen=True)
class Look:
    """What `watch` said at one time."""

    when: str
    status: str
    reasons: tuple[str, ...]
    false_alarm_rate: float | None


@dataclass(frozen=True)
class Trained:
    """One model of the story.

    Attributes:
      name: "deployed", or the answer's architecture and whether it has augmentation where the first model has none.
      architecture: of the network.
      blessed: whether the gate let it through.
      reasons: the gate's, one sentence each.
      train_seconds: wall time of the Trainer.
      size_mb: of the SavedModel.
      span_1: mean IoU on the test pictures of span 1.
      span_2: mean IoU on the harder test pictures of span 2.
      lost: mean IoU on span 1 less that on span 2; None for the answers.
      regained: share of what the deployed model lost that is back, 1 = all of it; None for the deployed model, and
        where it lost nothing for certain.
    """

    name: str
    architecture: str
    blessed: bool
    reasons: tuple[str, ...]
    train_seconds: float
    size_mb: float
    span_1: Interval
    span_2: Interval
    lost: Interval | None = None
    regained: Interval | None = None

    @property
    def outcome(self) -> str:
        """In a few words, from the interval of what was lost or regained."""
        if self.lost is not None:
            return "degraded" if self.lost.low > 0 else "not degraded"
        if self.regained is None:
            return "nothing to recover"
        if self.regained.low <= 0:
            return "not recovered"
        return "recovered" if self.regained.high >= 1 else "partly recovered"


@dataclass
class Story:
    """All that happened; `examples` are picture, truth and one mask per model, for the page."""

    name: str
    classes: tuple[str, ...]
    corruptions: tuple[str, ...]
    severity: int
    unseen: str = ""
    pictures: dict[str, int] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)
    models: list[Trained] = field(default_factory=list)
    seconds: float = 0.0
    examples: list[list[NDArray[np.uint8]]] = field(default_factory=list)


def tell(
    config: Config,
    say: Tell,
    node_started: pipeline_run.NodeStarted,
    node_finished: pipeline_run.NodeFinished,
    answered: Callable[[Story], None] = lambda story: None,
) -> Story:
    """Runs the drill under `<run>-drill`; a second call reuses what the first finished.

    Each first model has a folder of its own there: it must not meet the champion of another drill.

    Args:
      config: of the run that the drill is about.
      say: told each chapter as it begins.
      node_started: see `pipeline.run.run`.
      node_finished: likewise.
      answered: told the story so far after each answer, so that a page can be read while the next one trains.

    Raises:
      UserError: the config or the data is wrong.
      RunError: a run failed, or the first model was not blessed.
    """
    started_s = time.time()
    answers = config.drill.answers or (Answer(**config.model.model_dump()),)
    for answer in answers:  # Before the first of them is trained.
        checked(_answering(config, answer))
    every_drill = Path(f"{config.output_path}-drill")
    config = config.model_copy(update={"name": f"{config.name}-drill"})
    say("the data: some pictures arrive now, others later and harder")
    data = spans.write(config, every_drill / "drill" / "spans")
    own = {"output_dir": str(every_drill / digest(data.first))}
    data = replace(data, first=data.first.model_copy(update=own), both=data.both.model_copy(update=own))
    folder = data.first.output_path / "drill"
    drill = config.drill
    story = Story(config.name, config.data.classes, drill.corruptions, drill.severity, drill.unseen)
    story.pictures = {
        f"span {span}, {split}": len(data.examples(span, split)) for span in (1, 2) for split in schema.SPLITS
    }

    say("span 1: train and deploy")
    runs = Runs(folder / "runs.json", node_started, node_finished)
    first = runs.run(data.first)
    if not first.blessed:
        raise RunError(f"the first model is not blessed, so nothing can degrade: {' '.join(first.reasons)}")
    deployed = load(first.pushed)
    margins = [_margins(deployed, data)]
    story.models.append(_trained("deployed", config.model.architecture, first, margins, config))

    say("requests as in training, without labels")
    story.looks.append(_look(data, 0, "requests as in training, no labels", folder, deployed, with_labels=False))
    say("harder requests, without labels")
    story.looks.append(_look(data, 2, "harder requests, no labels", folder, deployed, with_labels=False))
    say("labels come in")
    story.looks.append(_look(data, 2, "harder requests, labelled", folder, deployed, with_labels=True))

    models = [deployed]
    for answer in answers:
        retrain = _answering(data.both, answer)
        name = answer.architecture + (" + augmentation" if retrain.train.augment and not config.train.augment else "")
        say(f"spans 1 and 2: retrain with {name}")
        outcome = runs.run(retrain)
        models.append(load(outcome.path, len(models) + 1))
        margins.append(_margins(models[-1], data))
        story.models.append(_trained(name, answer.architecture, outcome, margins, config))
        story.examples = _pictures(data, models, margins[0][1])
        story.seconds = time.time() - started_s
        _save(story, every_drill / "drill" / "story.json")
        answered(story)
    return story


def _answering(config: Config, answer: Answer) -> Config:
    """The config with an answer's network and augmentation."""
    augment = config.train.augment if answer.augment is None else answer.augment
    train = config.train.model_copy(update={"augment": augment})
    return config.model_copy(update={"model": answer.model, "train": train})


def _save(story: Story, path: Path) -> None:
    models = [{**asdict(model), "outcome": model.outcome} for model in story.models]
    fields = {name: value for name, value in vars(story).items() if name not in ("examples", "looks", "models")}
    text = json.dumps({**fields, "looks": [asdict(look) for look in story.looks], "models": models}, indent=2)
    atomic.write_text(path, text + "\n")


def _look(data: Spans, span: int, when: str, folder: Path, deployed: LoadedModel, with_labels: bool) -> Look:
    """Sends the held-out pictures of a span to the deployed model, as clients would, and watches."""
    kept_dir, labels_dir = folder / f"kept-{span}", folder / f"labels-{span}"
    done = kept_dir / "done"
    if not done.is_file() or done.read_text(encoding="utf-8") != str(deployed.version):
        for unfinished in (kept_dir, labels_dir):
            shutil.rmtree(unfinished, ignore_errors=True)
        _ask(data, span, deployed, kept_dir, labels_dir)
        atomic.write_text(done, str(deployed.version))
    # Not now: a later call looks at the same requests, whatever watch.window_days.
    last_s = max(one.at_s for one in kept_requests.read(kept_dir))
    examples = provenance.examples_of(data.first.output_path, Path(deployed.path).name)
    watched = window.look(data.first, kept_dir, labels_dir if with_labels else None, deployed, last_s, examples)
    rate = watched.drift.false_alarm_rate if watched.drift else None
    return Look(when, watched.verdict.status, watched.verdict.reasons, rate)


def _ask(data: Spans, span: int, deployed: LoadedModel, kept_dir: Path, labels_dir: Path) -> None:
    serialized = data.examples(span, schema.EVAL) + data.examples(span, schema.TEST)
    parsed = [example.decode(one) for one in serialized]
    clients.ask(Path(deployed.path).parent, deployed.version, [one[schema.IMAGE][0] for one in parsed], kept_dir)
    labels_dir.mkdir(parents=True, exist_ok=True)
    for one, features in zip(kept_requests.read(kept_dir), parsed, strict=True):
        (labels_dir / f"{one.id}.png").write_bytes(features[schema.MASK][0])


def _margins(model: LoadedModel, data: Spans) -> tuple[Margins, Margins]:
    """Right, true and predicted pixels on the test pictures of span 1 and of span 2, each int64 [N, 3, K]."""

    def of(serialized: list[bytes]) -> Margins:
        batches = [serialized[start : start + _BATCH] for start in range(0, len(serialized), _BATCH)]
        return np.concatenate([margins_of(model, batch) for batch in batches])

    return of(data.examples(1, schema.TEST)), of(data.examples(2, schema.TEST))


def _trained(
    name: str, architecture: str, outcome: Outcome, margins: list[tuple[Margins, Margins]], config: Config
) -> Trained:
    confidence = config.gate.confidence
    settings = {"confidence": confidence, "resamples": config.gate.bootstrap_resamples}
    (before_1, before_2), (now_1, now_2) = margins[0], margins[-1]
    missing = lost(before_1, before_2, confidence)
    is_answer = len(margins) > 1
    return Trained(
        name=name,
        architecture=architecture,
        blessed=outcome.blessed,
        reasons=outcome.reasons,
        train_seconds=outcome.train_seconds,
        size_mb=round(size_mb(outcome.path), 1),
        span_1=intervals(now_1, None, **settings).mean_iou,  # type: ignore[arg-type]
        span_2=intervals(now_2, None, **settings).mean_iou,  # type: ignore[arg-type]
        lost=None if is_answer else missing,
        regained=regained(before_1, before_2, now_2, confidence) if is_answer and missing.low > 0 else None,
    )


def lost(before_1: Margins, before_2: Margins, confidence: float, resamples: int = 2000, seed: int = 0) -> Interval:
    """Mean IoU on span 1 less that on span 2, with its bootstrap interval; the arguments are those of `regained`."""
    rng = np.random.default_rng(seed)
    difference = _scores(before_1, _weights(len(before_1), resamples, rng)) - _scores(
        before_2, _weights(len(before_2), resamples, rng)
    )
    return _interval(difference, confidence)


def regained(
    before_1: Margins, before_2: Margins, now_2: Margins, confidence: float, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Share of the mean IoU lost from span 1 to span 2 that a new model brings back, with its bootstrap interval.

    Args:
      before_1: int64 [N, 3, K], the deployed model on span 1.
      before_2: int64 [M, 3, K], the deployed model on span 2.
      now_2: int64 [M, 3, K], the new model on the same pictures.
      confidence: of the two-sided interval.
      resamples: how many.
      seed: of the drawing; spans are drawn each on its own, the two models on span 2 with the same pictures.
    """
    rng = np.random.default_rng(seed)
    first, second = _weights(len(before_1), resamples, rng), _weights(len(before_2), resamples, rng)
    old_1, old_2, new_2 = _scores(before_1, first), _scores(before_2, second), _scores(now_2, second)
    share = (new_2 - old_2) / np.where(np.abs(old_1 - old_2) < 1e-9, np.nan, old_1 - old_2)
    return _interval(share, confidence)


def _weights(pictures: int, resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """How often each picture is drawn, [1 + resamples, pictures]; the first row is the pictures themselves."""
    drawn = rng.multinomial(pictures, np.full(pictures, 1 / pictures), size=resamples)
    return np.concatenate([np.ones((1, pictures)), drawn])


def _scores(margins: Margins, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = weights @ margins.reshape(len(margins), -1).astype(np.float64)
    return confusion.mean_iou_of_margins(sums.reshape(-1, *margins.shape[1:]))


def _interval(values: NDArray[np.float64], confidence: float) -> Interval:
    low, high = np.nanquantile(values[1:], [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(values[0]), float(low), float(high))


def _pictures(data: Spans, models: list[LoadedModel], lost: Margins) -> list[list[NDArray[np.uint8]]]:
    """The harder test pictures on which the deployed model was worst: picture, truth, one mask per model."""
    worst = np.argsort(np.nan_to_num(confusion.mean_iou_of_margins(lost), nan=1.0))[:_SHOWN]
    serialized = data.examples(2, schema.TEST)
    rows = []
    for parsed in (example.decode(serialized[index]) for index in worst):
        image, mask = (open_picture(parsed[name][0]) for name in (schema.IMAGE, schema.MASK))
        row = [np.asarray(image.convert("RGB")), np.asarray(mask)]
        for model in models:
            [answer] = model.signature().run([parsed[schema.IMAGE][0]])
            row.append(at_size(answer["mask"], image.height, image.width))
        rows.append(row)
    return rows
