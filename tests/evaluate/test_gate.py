import dataclasses

import numpy as np
import pytest

from segpipe.config.evaluate import Gate
from segpipe.evaluate.gate import Measurements, Rule, Verdict, judge
from segpipe.evaluate.slices import SliceScore
from segpipe.metrics.bootstrap import Interval

CLASSES = ("sea", "land", "lake")
GOOD = np.array([[90, 5, 5], [5, 90, 5], [2, 3, 5]])
NO_LAKE = np.array([[90, 10, 0], [5, 95, 0], [0, 0, 0]])
PERFECT = np.diag([100, 100, 10])


def evidence(candidate=GOOD, champion=None, **more):
    return Measurements(CLASSES, candidate, champion, **more)


def test_a_first_model_is_judged_by_its_floors_alone():
    verdict = judge(Gate(min_mean_iou=0.5, min_class_iou={"sea": 0.8}), evidence())
    assert verdict.blessed
    assert [rule.passed for rule in verdict.rules] == [True, True, None]
    assert "no champion yet" in verdict.rules[-1].sentence


def test_every_missed_floor_is_a_reason_with_both_numbers():
    verdict = judge(Gate(min_mean_iou=0.9, min_class_iou={"lake": 0.5}), evidence())
    assert not verdict.blessed
    mean = (90 / 107 + 90 / 108 + 5 / 20) / 3
    assert verdict.reasons == [
        f"mean IoU {mean:.3f} is below the floor of 0.900.",
        "IoU of lake 0.250 is below the floor of 0.500.",
    ]


def test_predicting_the_majority_everywhere_fails_the_default_gate():
    majority = np.array([[9000, 0, 0], [600, 0, 0], [400, 0, 0]])
    assert not judge(Gate(), evidence(majority)).blessed


def test_a_floor_for_a_class_that_is_not_there_fails_and_says_so():
    verdict = judge(Gate(min_class_iou={"lake": 0.1}), evidence(NO_LAKE))
    assert verdict.reasons == ["IoU of lake cannot be judged: no pixel of it is in the test split."]


@pytest.mark.parametrize(("max_drop", "blessed"), [(0.0, False), (0.3, False), (0.4, True)])
def test_a_drop_against_the_champion_is_judged_by_the_margin(max_drop, blessed):
    # GOOD lies 0.358 below PERFECT.
    assert judge(Gate(min_mean_iou=0.1, max_mean_iou_drop=max_drop), evidence(champion=PERFECT)).blessed is blessed


def test_an_equal_model_is_no_worse():
    assert judge(Gate(), evidence(champion=GOOD, difference=Interval(0, 0, 0))).blessed


@pytest.mark.parametrize(
    ("interval", "blessed", "words"),
    [
        (Interval(0.01, -0.02, 0.04), True, "does not reach more than 0.050 below zero"),
        (Interval(0.01, -0.09, 0.11), False, "too small to tell; add test pictures"),
        (Interval(-0.07, -0.09, -0.05), False, "the champion is better"),
    ],
)
def test_a_difference_that_is_not_sure_enough_fails(interval, blessed, words):
    verdict = judge(Gate(), evidence(champion=GOOD, difference=interval))
    assert verdict.blessed is blessed
    assert words in verdict.rules[-1].sentence
    assert "95 % interval" in verdict.rules[-1].sentence


def _slice(value, mean_iou, judged=True):
    return SliceScore("breed", value, 30 if judged else 3, mean_iou, None, judged)


def test_slices_have_floors_by_slicing_and_by_value():
    slices = [_slice("tabby", 0.6), _slice("persian", 0.4), _slice("manx", 0.1, judged=False)]
    verdict = judge(Gate(min_slice_mean_iou={"breed": 0.5}), evidence(slices=slices))
    assert verdict.reasons == ["mean IoU of breed=persian 0.400 is below the floor of 0.500."]
    assert [r.passed for r in verdict.rules if "breed" in r.name] == [True, False, None]
    assert any("3 pictures are too few" in rule.sentence for rule in verdict.rules)
    assert judge(Gate(min_slice_mean_iou={"breed=tabby": 0.5}), evidence(slices=slices)).blessed


def test_a_floor_for_a_slice_that_is_not_there_fails_and_lists_those_that_are():
    verdict = judge(Gate(min_slice_mean_iou={"site": 0.5}), evidence(slices=[_slice("tabby", 0.6)]))
    assert "names site" in verdict.reasons[0]
    assert "slicings: breed" in verdict.reasons[0]


@pytest.mark.parametrize(("measured", "passed"), [(19.0, True), (21.0, False), (None, False)])
def test_budgets(measured, passed):
    assert judge(Gate(max_latency_ms=20), evidence(latency_ms=measured)).passed is passed
    assert judge(Gate(max_model_mb=20), evidence(model_mb=measured)).passed is passed
    assert judge(Gate(), evidence(latency_ms=measured, model_mb=measured)).passed


def test_a_champion_that_cannot_be_measured_blocks_and_says_what_to_do():
    problem = "The champion was trained for the classes cat, dog; now they are sea, land, lake."
    verdict = judge(Gate(), evidence(champion_problem=problem))
    assert verdict.reasons[0].startswith(problem)
    assert "--override-blessing" in verdict.reasons[0]


def test_notes_decide_nothing():
    verdict = judge(Gate(), evidence(notes=["The test split has changed."]))
    assert verdict.passed
    assert verdict.rules[-1].sentence == "The test split has changed."


def test_an_override_blesses_and_keeps_the_reasons():
    overridden = judge(Gate(min_mean_iou=0.9), evidence(), override="demo for the board")
    assert overridden.blessed
    assert not overridden.passed
    assert overridden.reasons
    assert not dataclasses.replace(overridden, override="").blessed


def test_json_round_trip():
    verdict = Verdict((Rule("a", 0.5, None, None, "b."), Rule("a", 0.5, 0.6, False, "c.")), override="d")
    assert Verdict.from_json(verdict.to_json()) == verdict
    assert '"reasons": [\n    "c."\n  ]' in verdict.to_json()
