import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from segpipe import config as config_module
from segpipe import progress, schema
from segpipe.drill import page, runs, spans, story, timeline
from segpipe.drill.story import Look, Story, Trained, lost, regained
from segpipe.errors import ConfigError, RunError
from segpipe.ingest import feature_schema
from segpipe.io import tfrecord
from segpipe.metrics.bootstrap import Interval
from segpipe.savedmodel.load import load
from segpipe.serve import request_log
from tests import shapes
from tests.serve import server_model

TOML = """
name = "shapes"
output_dir = "RUN"

[source]
path = "data"

[split]
train = 0.5
eval = 0.25
test = 0.25

[data]
classes = ["ground", "disk", "square"]
image_size = 32

[model]
weights = "none"
width = 0.35
decoder_filters = [32, 32, 16, 16]

[train]
epochs = 6
batch_size = 8
augment = false
precision = "float32"

[gate]
min_mean_iou = 0.1

[watch]
min_pictures = 20

[drill]
corruptions = ["contrast"]
severity = 5

[[drill.answers]]
weights = "none"
width = 0.35
decoder_filters = [32, 32, 16, 16]
augment = true
"""

FURTHER_ANSWER = """drill.answers=[
  {weights="none", width=0.35, decoder_filters=[32, 32, 16, 16], augment=true},
  {weights="none", width=0.35, decoder_filters=[32, 32, 16, 16], augment=false},
]"""


def margins(pictures: int, right: int) -> np.ndarray:
    """One class's 100 pixels in every picture, `right` of them found and none invented, beside 100 of background."""
    return np.tile([[[right, right], [100, 100], [100, 100]]], (pictures, 1, 1))


def test_what_is_regained_is_a_share_of_what_was_lost():
    # IoU of each class: right / (200 - right).
    lost = 100 / 100 - 50 / 150
    share = regained(margins(20, 100), margins(20, 50), margins(20, 80), confidence=0.95)
    assert share.value == pytest.approx((80 / 120 - 50 / 150) / lost)
    assert share.low == pytest.approx(share.value)


def test_what_is_lost_is_the_difference_between_the_spans():
    missing = lost(margins(20, 100), margins(20, 50), confidence=0.95)
    assert missing.value == pytest.approx(100 / 100 - 50 / 150)
    assert missing.low == pytest.approx(missing.value)


@pytest.mark.parametrize(
    ("low", "high", "outcome"), [(0.7, 1.1, "recovered"), (0.2, 0.8, "partly recovered"), (-0.1, 0.9, "not recovered")]
)
def test_the_outcome_follows_from_the_interval(low, high, outcome):
    model = trained("a", regained=Interval((low + high) / 2, low, high))
    assert model.outcome == outcome


@pytest.mark.parametrize(("low", "outcome"), [(0.02, "degraded"), (-0.02, "not degraded")])
def test_a_deployed_model_is_degraded_when_it_lost_for_certain(low, outcome):
    assert trained("deployed", lost=Interval(0.1, low, 0.2)).outcome == outcome


def test_the_rule_that_was_broken_comes_first():
    rules = [{"sentence": "Good.", "passed": True}, {"sentence": "Too few.", "passed": None}]
    broken = {"sentence": "Bad.", "passed": False}
    assert runs._reasons({"rules": [*rules, broken]}) == ("Bad.", "Good.", "Too few.")


def trained(name: str, span_2: float = 0.5, blessed: bool = True, **intervals: Interval) -> Trained:
    return Trained(
        name, "unet", blessed, (f"{name} was judged.",), 1.0, 1.0, Interval(0.8, 0.7, 0.9),
        Interval(span_2, span_2 - 0.1, span_2 + 0.1), **intervals,
    )  # fmt: skip


def test_events_tell_what_is_deployed_after_each():
    regained = Interval(0.5, 0.1, 0.8)
    told = Story("a", ("x", "y"), ("fog",), 3)
    told.looks = [Look("as before", "ok", (), 0.01), Look("harder", "drift", ("It moved.",), 0.01)]
    told.models = [
        trained("deployed", lost=Interval(0.3, 0.2, 0.4)),
        trained("worse", span_2=0.45, blessed=False, regained=regained),
        trained("better", span_2=0.7, regained=regained),
    ]
    found = timeline.events(told)
    assert [event.verdict.partition(":")[0] for event in found] == ["deployed", "ok", "drift", "refused", "deployed"]
    assert [event.serving.value for event in found] == [0.8, 0.8, 0.5, 0.5, 0.7]
    assert [event.refused.value if event.refused else None for event in found] == [None, None, None, 0.45, None]
    assert [event.harder for event in found] == [False, False, True, True, True]
    svg = timeline.draw(told)
    assert svg.count("<circle") == 6
    assert svg.count('fill="none" stroke="#0072b2"/>') == 1


def test_an_answer_that_the_recipe_does_not_fit_is_told_before_anything_is_trained(tmp_path: Path):
    other = ["train.progressive_resizing=0.5", "data.image_size=64", "drill.answers=[{architecture='segformer'}]"]
    (tmp_path / "pipeline.toml").write_text(TOML.replace("RUN", str(tmp_path / "run")))
    config = config_module.load(tmp_path / "pipeline.toml", other)
    with pytest.raises(ConfigError, match="a segformer takes pictures of one size"):
        story.tell(config, lambda chapter: None, lambda node: None, lambda outcome, note: None)
    assert [path.name for path in tmp_path.iterdir()] == ["pipeline.toml"]


@pytest.fixture
def stores(tmp_path: Path):
    """Begins the drill of TOML and one with an override, each to its first node; gives the stores of models."""
    shapes.write_folder(tmp_path / "data", count=60)
    (tmp_path / "pipeline.toml").write_text(TOML.replace("RUN", str(tmp_path / "run")))
    feature_schema.write(tmp_path / "schema.pbtxt", feature_schema.build(shapes.CLASSES))

    def end(node: str) -> None:
        raise RuntimeError(f"{node} has started")

    def begin_both(override: str) -> list[Path]:
        for overrides in ([], [override]):
            config = config_module.load(tmp_path / "pipeline.toml", overrides)
            with pytest.raises(RunError, match="ExampleGen has started"):
                story.tell(config, lambda chapter: None, end, lambda outcome, note: None)
        return list((tmp_path / "run-drill").rglob("metadata.db"))

    return begin_both


@pytest.mark.parametrize(
    "override", ["drill.severity=4", "drill.unseen='^.1'", "gate.confidence=0.9", "train.epochs=7", "model.width=0.5"]
)
def test_the_first_model_of_another_drill_meets_no_model_of_the_first_drill(stores, override):
    assert len(stores(override)) == 2


@pytest.mark.parametrize(
    "override", ["drill.answers=[{}]", "watch.min_labels=9", "train.cache_gb=0", "hub.private=true"]
)
def test_what_the_first_model_does_not_depend_on_begins_no_other_drill(stores, override):
    assert len(stores(override)) == 1


@pytest.fixture
def look(tmp_path: Path):
    """Looks at the labelled requests of span 2 to a model in a run's folder, as the pipeline leaves it."""
    shapes.write_folder(tmp_path / "data", count=120)
    (tmp_path / "pipeline.toml").write_text(TOML.replace("RUN", str(tmp_path / "run")))
    config = config_module.load(tmp_path / "pipeline.toml")
    data = spans.write(config, tmp_path / "spans")
    for split in schema.SPLITS:
        folder = config.output_path / "pipeline" / "ExampleGen" / "examples" / "1" / f"Split-{split}"
        folder.mkdir(parents=True)
        with gzip.open(folder / "data.gz", "wb") as stream:
            for serialized in data.examples(1, split):
                tfrecord.write(stream, serialized)
    deployed = load(server_model.save(config.output_path / "serving", 1), 1)
    return lambda: story._look(data, 2, "labelled", tmp_path / "drill", deployed, with_labels=True)


def test_a_look_that_was_interrupted_while_it_asked_asks_for_all_again(look, tmp_path):
    def interrupt(told: progress.Progress) -> None:
        if told.what == "requests":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), progress.listening(interrupt):
        look()
    begun = {one.id for one in request_log.read(tmp_path / "drill" / "kept-2")}
    look()
    finished = [one.id for one in request_log.read(tmp_path / "drill" / "kept-2")]
    assert len(finished) > len(begun) > 0
    assert not begun & set(finished)
    assert {path.stem for path in (tmp_path / "drill" / "labels-2").glob("*.png")} == set(finished)
    look()
    assert [one.id for one in request_log.read(tmp_path / "drill" / "kept-2")] == finished


def test_a_look_a_month_later_says_the_same_of_the_same_requests(look, tmp_path):
    first = look()
    for day in (tmp_path / "drill" / "kept-2").glob("*.jsonl"):
        lines = [json.loads(line) for line in day.read_text().splitlines()]
        day.write_text("".join(json.dumps({**one, "at_s": one["at_s"] - 30 * 86400}) + "\n" for one in lines))
    assert first.status != "too few"
    assert look() == first


@pytest.mark.slow
def test_a_model_degrades_is_noticed_before_labels_and_is_retrained(tmp_path: Path):
    shapes.write_folder(tmp_path / "data", count=160)
    (tmp_path / "pipeline.toml").write_text(TOML.replace("RUN", str(tmp_path / "run")))
    feature_schema.write(tmp_path / "schema.pbtxt", feature_schema.build(shapes.CLASSES))
    config = config_module.load(tmp_path / "pipeline.toml")
    chapters: list[str] = []
    told = story.tell(config, chapters.append, lambda node: None, lambda outcome, note: None)

    assert [look.status for look in told.looks[1:]] == ["drift", "degraded"]
    assert told.looks[0].status == "ok"
    deployed, again = told.models
    assert deployed.span_2.high < deployed.span_1.value
    assert deployed.outcome == "degraded"
    assert again.span_2.value > deployed.span_2.value
    assert (again.name, again.architecture) == ("unet_mobilenetv2 + augmentation", "unet_mobilenetv2")
    assert any("champion" in sentence for sentence in again.reasons)
    assert len(chapters) == 6

    page.write(told, 0.95, tmp_path / "index.html")
    html = (tmp_path / "index.html").read_text()
    assert html.count("<img") == 4 * len(told.examples)
    saved = json.loads((tmp_path / "run-drill" / "drill" / "story.json").read_text())
    assert [model["name"] for model in saved["models"]] == ["deployed", "unet_mobilenetv2 + augmentation"]

    started: list[str] = []
    second = story.tell(config, chapters.append, started.append, lambda outcome, note: None)
    assert started == []
    assert [model.span_2 for model in second.models] == [model.span_2 for model in told.models]
    assert [look.status for look in second.looks] == ["ok", "drift", "degraded"]

    third = story.tell(
        config_module.load(tmp_path / "pipeline.toml", [FURTHER_ANSWER]),
        chapters.append,
        started.append,
        lambda outcome, note: None,
    )
    assert started.count("Trainer") == 1
    assert third.models[:2] == told.models
    assert len(third.models) == 3
