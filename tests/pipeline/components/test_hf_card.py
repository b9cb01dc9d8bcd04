from segpipe.pipeline.components.hf_card import measured
from segpipe.publish.card import CardInput, render
from tests.pipeline import segmenter
from tests.pipeline.components.test_evaluator import _config, examples, judge, models  # noqa: F401 (fixtures)
from tests.servers.hub_metadata import problems


def test_the_card_says_what_the_evaluator_measured_and_the_gate_decided(judge, tmp_path):  # noqa: F811
    verdict = judge("noisy", config=_config(evaluate={"min_slice_pictures": 1}))
    facts = measured(str(tmp_path / "evaluation"))
    [floor] = [rule for rule in verdict.rules if rule.name == "mean IoU, floor"]
    assert facts["metrics"]["mean_iou"] == floor.value
    assert {f"class_iou/{name}" for name in segmenter.CLASSES} <= set(facts["metrics"])
    assert facts["blessed"] is True
    assert facts["rules"] == [rule.sentence for rule in verdict.rules]
    assert facts["slices"]
    assert all("=" in name and "mean_iou" in metrics for name, metrics in facts["slices"].items())
    card = render(CardInput("me/shapes", "v1", classes=segmenter.CLASSES, **facts)).decode()
    assert problems(card, "model") == []
    assert floor.sentence in card


def test_a_champion_and_an_override_are_told_too(judge, tmp_path):  # noqa: F811
    judge("majority", champion="noisy", override="the camera broke")
    facts = measured(str(tmp_path / "evaluation"))
    assert facts["blessed"] is True
    assert facts["rules"][-1] == "Overridden by a person: the camera broke"
    assert not any("diff" in name for name in facts["metrics"])
