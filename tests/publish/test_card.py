import json
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from segpipe.errors import DataError
from segpipe.publish.card import CardInput, about, render
from tests.servers.hub_metadata import problems

CARD = CardInput(
    repo_id="me/pets",
    version="v100",
    classes=("pet", "background", "border"),
    palette=((0, 114, 178), (230, 159, 0), (0, 158, 115)),
    image_size=128,
    architecture="unet_mobilenetv2",
    metrics={"mean_iou": 0.67, "pixel_accuracy": 0.85, "class_iou/pet": 0.7, "class_iou/border": float("nan")},
    slices={"breed=Siamese": {"mean_iou": 0.71}, "breed=Persian": {"mean_iou": 0.61}},
    blessed=True,
    rules=("mean IoU 0.670 reaches the floor of 0.500.",),
    dataset_name="Oxford-IIIT Pet",
    license="cc-by-sa-4.0",
    versions={"tensorflow": "2.21.0"},
    digests={"config": "abc123"},
)


def parsed(card: CardInput) -> ModelCard:
    return ModelCard(render(card).decode())


def test_the_hub_accepts_it():
    assert problems(render(CARD).decode(), "model") == []
    assert problems(render(CardInput("me/pets", "v1")).decode(), "model") == []
    assert problems(render(replace(CARD, license="mine")).decode(), "model") != []


def test_every_metric_and_slice_is_in_the_model_index():
    found = {(r.dataset_config, r.metric_name, r.metric_value) for r in parsed(CARD).data.eval_results}
    assert found == {
        (None, "mean IoU", 0.67),
        (None, "pixel accuracy", 0.85),
        (None, "IoU of pet", 0.7),
        ("breed=Siamese", "mean IoU", 0.71),
        ("breed=Persian", "mean IoU", 0.61),
    }
    assert {r.dataset_split for r in parsed(CARD).data.eval_results} == {"test"}


@pytest.mark.parametrize(
    "said",
    [
        'snapshot_download("me/pets", revision="v100")',
        "| 1 | background | #e69f00 |",
        "| mean IoU | 0.6700 |",
        "| breed=Siamese | 0.7100 |",
        "## Verdict of the gate: blessed",
        "- mean IoU 0.670 reaches the floor of 0.500.",
        "resizes it to 128 × 128",
        "- tensorflow 2.21.0",
        "- config digest `abc123`",
        "## Intended use",
        "## Limits",
    ],
)
def test_people_read(said: str):
    assert said in render(CARD).decode()


def test_what_cannot_be_judged_is_left_out():
    assert "nan" not in render(CARD).decode().lower()
    assert "None" not in render(CardInput("me/pets", "v1")).decode()


def test_the_same_inputs_give_the_same_bytes():
    shuffled = replace(CARD, metrics=dict(reversed(CARD.metrics.items())), slices=dict(reversed(CARD.slices.items())))
    assert render(CARD) == render(shuffled)


def test_what_a_saved_model_says_of_itself(tmp_path: Path):
    extra = tmp_path / "assets.extra"
    extra.mkdir()
    assert about(tmp_path) == {}
    (extra / "segpipe.json").write_text(json.dumps({"classes": ["a", "b"], "config_digest": "d", "later": 1}))
    assert about(tmp_path) == {"classes": ["a", "b"], "digests": {"config": "d"}}
    (extra / "segpipe.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        about(tmp_path)
