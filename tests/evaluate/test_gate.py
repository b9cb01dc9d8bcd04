import numpy as np
import pytest

from segpipe.config import Gate
from segpipe.evaluate.gate import Rule, Verdict, judge

CLASSES = ("sea", "land", "lake")
GOOD = np.array([[90, 5, 5], [5, 90, 5], [2, 3, 5]])
NO_LAKE = np.array([[90, 10, 0], [5, 95, 0], [0, 0, 0]])


def test_a_first_model_is_judged_by_its_floors_alone():
    verdict = judge(Gate(min_mean_iou=0.5, min_class_iou={"sea": 0.8}), CLASSES, GOOD)
    assert verdict.blessed
    assert [rule.passed for rule in verdict.rules] == [True, True, None]
    assert "no champion yet" in verdict.rules[-1].sentence


def test_every_missed_floor_is_a_reason_with_both_numbers():
    verdict = judge(Gate(min_mean_iou=0.9, min_class_iou={"lake": 0.5}), CLASSES, GOOD)
    assert not verdict.blessed
    mean = (90 / 107 + 90 / 108 + 5 / 20) / 3
    assert verdict.reasons == [
        f"mean IoU {mean:.3f} is below the floor of 0.900.",
        "IoU of lake 0.250 is below the floor of 0.500.",
    ]


def test_predicting_the_majority_everywhere_fails_the_default_gate():
    assert not judge(Gate(), CLASSES, np.array([[9000, 0, 0], [600, 0, 0], [400, 0, 0]])).blessed


def test_a_floor_for_a_class_that_is_not_there_fails_and_says_so():
    verdict = judge(Gate(min_class_iou={"lake": 0.1}), CLASSES, NO_LAKE)
    assert verdict.reasons == ["IoU of lake cannot be judged: no pixel of it is in the test split."]


@pytest.mark.parametrize(("max_drop", "blessed"), [(0.0, False), (0.3, False), (0.4, True)])
def test_a_drop_against_the_champion_is_judged_by_the_margin(max_drop, blessed):
    perfect = np.diag([100, 100, 10])  # GOOD lies 0.358 below.
    assert judge(Gate(min_mean_iou=0.1, max_mean_iou_drop=max_drop), CLASSES, GOOD, perfect).blessed is blessed


def test_an_equal_model_is_no_worse():
    assert judge(Gate(), CLASSES, GOOD, GOOD).blessed


def test_an_override_blesses_and_keeps_the_reasons():
    failed = judge(Gate(min_mean_iou=0.9), CLASSES, GOOD)
    overridden = Verdict(failed.rules, override="demo for the board")
    assert overridden.blessed
    assert not overridden.passed
    assert overridden.reasons


def test_json_round_trip():
    verdict = Verdict((Rule("a", 0.5, None, None, "b."),), override="c")
    assert Verdict.from_json(verdict.to_json()) == verdict
