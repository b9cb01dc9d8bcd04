"""What the Evaluator writes is what every reader gets, to the last bit."""

import json

import numpy as np
import pytest
from PIL import Image

from segpipe.errors import UserError
from segpipe.evaluate import evidence, picture_table
from segpipe.evaluate.gate import Rule, Verdict
from segpipe.evaluate.report import Gallery, Sample
from segpipe.evaluate.scores import Scores
from segpipe.metrics.bootstrap import Interval, Intervals

NAN = float("nan")


def _sample(seed: int, score: float | None) -> Sample:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (9, 7, 3), np.uint8)
    truth, prediction = (rng.integers(0, 3, (9, 7), np.uint8) for _ in range(2))
    return Sample(f"p{seed}", image, truth, prediction, score)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_table, "read", lambda folder: None)  # The Evaluator's test reads its own rows.
    first, second = _sample(1, 0.25), _sample(2, None)
    evidence.write(
        str(tmp_path),
        Verdict([Rule("floor", 0.2, 0.5, False, "too low")]),
        Scores(np.arange(9).reshape(3, 3), np.arange(9), None, {"mean_iou": 0.1 + 0.2, "class_iou/sea": NAN}),
        None,
        Intervals(Interval(0.3, 0.1, NAN), (Interval(NAN, NAN, NAN),), None),
        Gallery([first], [second, first], {"sea": [second]}),
    )
    return tmp_path


def test_everything_comes_back_to_the_last_bit(folder):
    read = evidence.read(folder)
    np.testing.assert_array_equal(read.candidate.confusion, np.arange(9).reshape(3, 3))
    assert read.candidate.calibration is None
    assert read.champion is None
    assert read.candidate.metrics["mean_iou"] == 0.1 + 0.2
    assert np.isnan(read.candidate.metrics["class_iou/sea"])
    assert (read.intervals.mean_iou.value, read.intervals.mean_iou.low) == (0.3, 0.1)
    assert np.isnan([read.intervals.mean_iou.high, read.intervals.class_iou[0].value]).all()
    assert not read.verdict.blessed
    assert [sample.id for sample in read.gallery.samples()] == ["p1", "p2", "p1", "p2"]
    for layer in ("image", "truth", "prediction"):
        np.testing.assert_array_equal(getattr(read.gallery.worst[0], layer), getattr(_sample(1, 0), layer))
    assert (read.gallery.worst[0].mean_iou, read.gallery.typical[0].mean_iou) == (0.25, None)


def test_the_file_is_json_that_any_reader_takes(folder):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    json.loads((folder / evidence.FILE).read_text(), parse_constant=refuse)
    assert len(list((folder / "pictures").iterdir())) == 6  # A picture that is shown twice lies there once.
    with Image.open(folder / evidence.WORST_FOLDER / "1.jpg") as strip:
        assert strip.width > strip.height


def test_the_evaluation_of_an_earlier_segpipe_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"has no evidence\.json: an earlier segpipe judged this model; run"):
        evidence.read(tmp_path)
