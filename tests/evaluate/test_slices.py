import numpy as np
import pytest

from segpipe.config import Config
from segpipe.config.evaluate import Evaluate
from segpipe.errors import RunError
from segpipe.evaluate import picture_table as table
from segpipe.evaluate.slices import SliceScore, attributes, score
from segpipe.metrics import confusion

FEATURES = {
    "id": [b"cat-1"],
    "slice/breed": [b"Abyssinian"],
    "brightness": [0.41],
    "sharpness": [0.02],
    "class_fraction": [0.0, 0.985, 0.015],
}


def test_a_picture_belongs_to_its_attributes_and_its_buckets():
    assert attributes(FEATURES, Evaluate()) == {
        "breed": "Abyssinian",
        "brightness": "0.3 to 0.55",
        "sharpness": "below 0.1",
        "object_size": "below 0.02",
    }


def test_slicings_are_crossed_where_a_picture_has_both():
    crossed = Evaluate(buckets={"brightness": (0.5,)}, crossed=("breed*brightness", "breed*site"))
    assert attributes(FEATURES, crossed) == {
        "breed": "Abyssinian",
        "brightness": "below 0.5",
        "breed*brightness": "Abyssinian, below 0.5",
    }


@pytest.mark.parametrize(("value", "name"), [(0.29, "below 0.3"), (0.3, "0.3 to 0.55"), (0.55, "from 0.55")])
def test_an_edge_belongs_to_the_bucket_above(value, name):
    assert attributes({"brightness": [value]}, Evaluate())["brightness"] == name


@pytest.mark.parametrize(
    ("section", "message"),
    [({"buckets": {"colour": [1]}}, "brightness"), ({"buckets": {"brightness": [0.5, 0.2]}}, "must rise")],
)
def test_unusable_buckets_are_named(section, message):
    with pytest.raises(ValueError, match=message):
        Config(name="x", data={"classes": ("a", "b")}, evaluate=section)


MATRICES = np.array([[[8, 2], [0, 5]], [[9, 1], [3, 3]], [[4, 4], [4, 4]]])
CHAMPION = np.array([[[9, 1], [0, 5]], [[9, 1], [3, 3]], [[2, 6], [4, 4]]])
BREEDS = ["tabby", "persian", "tabby"]


@pytest.fixture
def picture_table(tmp_path):
    rows = [
        table.row(f"p{n}", f"d{n}", {"breed": breed}, confusion.margins(MATRICES[n]), confusion.margins(CHAMPION[n]))
        for n, breed in enumerate(BREEDS)
    ]
    table.write(rows[::-1], tmp_path)
    return table.read(tmp_path)


def test_slices_are_scored_by_the_sum_of_their_pictures(picture_table):
    tabby = float(confusion.mean_iou(MATRICES[0] + MATRICES[2]))
    champion = float(confusion.mean_iou(CHAMPION[0] + CHAMPION[2]))
    assert score(picture_table, min_pictures=2) == [
        SliceScore("breed", "persian", 1, (9 / 13 + 3 / 7) / 2, (9 / 13 + 3 / 7) / 2, False),
        SliceScore("breed", "tabby", 2, tabby, champion, True),
    ]


def test_a_table_comes_back_in_the_order_of_its_ids(picture_table):
    assert list(picture_table.ids) == ["p0", "p1", "p2"]
    np.testing.assert_array_equal(picture_table.candidate, confusion.margins(MATRICES))
    np.testing.assert_array_equal(picture_table.champion, confusion.margins(CHAMPION))


def test_a_digest_sees_other_pictures_and_not_another_order(picture_table, tmp_path):
    same = table.PictureTable(["a", "b", "c"], ["d2", "d0", "d1"], [{}] * 3, picture_table.candidate)
    other = table.PictureTable(["a", "b", "c"], ["d2", "d0", "d3"], [{}] * 3, picture_table.candidate)
    assert same.data_digest == picture_table.data_digest != other.data_digest


def test_no_pictures_is_an_error_that_says_so(tmp_path):
    with pytest.raises(RunError, match="run the evaluation again"):
        table.read(tmp_path)
    table.write([], tmp_path)
    with pytest.raises(RunError, match="no picture"):
        table.read(tmp_path)
