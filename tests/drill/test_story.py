import json
from pathlib import Path

import numpy as np
import pytest

from segpipe import config as config_module
from segpipe.drill import page, story
from segpipe.drill.story import Trained, regained
from segpipe.evaluate.bootstrap import Interval
from segpipe.ingest import feature_schema
from tests import shapes

TOML = """
name = "shapes"
output_dir = "run"

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

[[drill.answers]]
architecture = "deeplabv3plus"
weights = "none"
width = 0.35
"""


def margins(pictures: int, right: int) -> np.ndarray:
    """One class's 100 pixels in every picture, `right` of them found and none invented, beside 100 of background."""
    return np.tile([[[right, right], [100, 100], [100, 100]]], (pictures, 1, 1))


def test_what_is_regained_is_a_share_of_what_was_lost():
    # IoU of each class: right / (200 - right).
    lost = 100 / 100 - 50 / 150
    share = regained(margins(20, 100), margins(20, 50), margins(20, 80), confidence=0.95)
    assert share.value == pytest.approx((80 / 120 - 50 / 150) / lost)
    assert share.low == pytest.approx(share.value)


@pytest.mark.parametrize(
    ("low", "high", "outcome"), [(0.7, 1.1, "recovered"), (0.2, 0.8, "partly recovered"), (-0.1, 0.9, "not recovered")]
)
def test_the_outcome_follows_from_the_interval(low, high, outcome):
    anything = Interval(0.5, 0.4, 0.6)
    model = Trained("a", "a", True, 1.0, 1.0, anything, anything, Interval((low + high) / 2, low, high))
    assert model.outcome == outcome


@pytest.mark.slow
def test_a_model_degrades_is_noticed_before_labels_and_is_retrained(tmp_path: Path):
    shapes.write_folder(tmp_path / "data", count=160)
    (tmp_path / "pipeline.toml").write_text(TOML)
    feature_schema.write(tmp_path / "schema.pbtxt", feature_schema.build(shapes.CLASSES))
    config = config_module.load(tmp_path / "pipeline.toml")
    chapters: list[str] = []
    told = story.tell(config, chapters.append, lambda node: None, lambda outcome, note: None)

    assert [look.status for look in told.looks[1:]] == ["drift", "degraded"]
    assert told.looks[0].status == "ok"
    deployed, again, deeplab = told.models
    assert deployed.span_2.high < deployed.span_1.value
    assert again.span_2.value > deployed.span_2.value
    assert deeplab.architecture == "deeplabv3plus"
    assert len(chapters) == 7

    page.write(told, 0.95, tmp_path / "index.html")
    html = (tmp_path / "index.html").read_text()
    assert html.count("<img") == 5 * len(told.examples)
    saved = json.loads((tmp_path / "run-drill" / "drill" / "story.json").read_text())
    assert [model["name"] for model in saved["models"]] == ["deployed", "unet_mobilenetv2", "deeplabv3plus"]
