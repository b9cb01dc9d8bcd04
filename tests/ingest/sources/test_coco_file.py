import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as run_lengths

from segpipe.errors import DataError
from segpipe.ingest.sources import coco_file
from segpipe.ingest.sources.coco_file import Annotation

_SQUARE = [[2, 2, 6, 2, 6, 6, 2, 6]]


def _written(tmp_path, **changes) -> str:
    content = {
        "images": [{"id": number, "file_name": f"{number}.jpg", "height": 8, "width": 8} for number in (1, 2)],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "segmentation": _SQUARE, "area": 16}],
        "categories": [{"id": 3, "name": "thing"}],
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**content, **changes}))
    return str(path)


def _annotation(**keys):
    return {"image_id": 1, "category_id": 3, "segmentation": _SQUARE, **keys}


def test_ids_as_text_and_as_numbers_are_the_same(tmp_path):
    coco = coco_file.read(_written(tmp_path, annotations=[_annotation(image_id="1", category_id="3")]))
    assert coco.annotations[0].image_id == coco.images[0].id
    assert coco.annotations[0].category_id == coco.categories[0].id


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"images": {"1": {}}}, r"images must be a list, got an object"),
        ({"images": [5]}, r"images\.0 must be an object, got 5"),
        ({"images": [{"id": 1}]}, r"images\.0\.file_name is missing"),
        ({"images": [{"id": 1, "file_name": None}]}, r"images\.0\.file_name: .*, got null"),
        ({"images": [{"id": 1, "file_name": "a.jpg", "height": -3}]}, r"images\.0\.height: .* greater than 0, got -3"),
        ({"images": [{"id": 1, "file_name": "a.jpg"}] * 2}, r"1 images have the id of another"),
        ({"annotations": [_annotation(area="much")]}, r"annotations\.0\.area: .*, got a text"),
        (
            {"annotations": [_annotation(image_id=7), _annotation()]},
            r"1 of 2 annotations belong to no image: .* id 7\.",
        ),
        ({"annotations": [_annotation(segmentation=None)] * 2}, r"no segmentation in all 2 annotations, boxes only"),
        ({"annotations": [_annotation(segmentation=[[1, 1, 5, 5]])]}, r"no outline in the only annotation has three"),
        ({"annotations": [_annotation(iscrowd=1)] * 3}, r"all 3 annotations with iscrowd = 1: crowds are ignored"),
    ],
)
def test_a_file_that_would_give_wrong_masks_is_a_sentence(changes, sentence, tmp_path):
    with pytest.raises(DataError, match=sentence):
        coco_file.read(_written(tmp_path, **changes))


def test_json_that_is_nested_too_deep_is_a_sentence(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[" * 200_000)
    with pytest.raises(DataError, match="is not JSON"):
        coco_file.read(str(path))


@pytest.mark.parametrize(
    ("keys", "pixels"),
    [
        ({"area": 7.5}, 7.5),
        ({"area": None}, 16),
        ({"segmentation": _SQUARE[0]}, 16),
        ({"segmentation": [[2, 2, 6]]}, 0),
        ({"segmentation": {"size": [8, 8], "counts": [10, 4, 50]}}, 4),
        ({"segmentation": {"size": [8, 8], "counts": "no"}}, 0),
    ],
)
def test_an_area_that_is_missing_comes_from_the_outline(keys, pixels):
    assert coco_file.area(Annotation.model_validate(_annotation(**keys))) == pixels


@pytest.mark.parametrize("number", [3.5e8, -1e9, float("nan"), float("inf"), 10**400])
def test_no_far_coordinate_reaches_the_c_code(number):
    with pytest.raises(ValueError, match="coordinate"):
        coco_file.checked_polygons([[1, 1, number, 1, 5, 5]], 8, 8)


@pytest.mark.parametrize("polygon", ["abcdef", ["a"] * 6, [None] * 6, [[1, 2]] * 6, [True] * 6, [1, 2, 3]])
def test_what_is_no_polygon_is_refused(polygon):
    with pytest.raises(ValueError, match="polygon"):
        coco_file.checked_polygons([polygon, [0, 0, 1, 1, 2, 0]], 8, 8)


@given(st.integers(1, 40), st.integers(1, 40), st.randoms(use_true_random=False))
def test_compressed_run_lengths_are_those_of_pycocotools(height, width, random):
    pixels = np.array([random.random() < 0.4 for _ in range(height * width)], np.uint8).reshape(height, width)
    encoded = run_lengths.encode(np.asfortranarray(pixels))
    text = {"size": [height, width], "counts": encoded["counts"].decode()}
    checked = coco_file.checked_run_lengths(text, height, width)
    np.testing.assert_array_equal(run_lengths.decode(run_lengths.frPyObjects(checked, height, width)), pixels)


@given(st.text(max_size=30) | st.lists(st.integers(-9, 99) | st.none() | st.floats(), max_size=9) | st.none())
def test_any_run_lengths_add_up_to_the_picture_or_are_refused(counts):
    try:
        checked = coco_file.checked_run_lengths({"size": [6, 7], "counts": counts}, 6, 7)
    except ValueError:
        return
    assert sum(checked["counts"]) == 42
    assert run_lengths.decode(run_lengths.frPyObjects(checked, 6, 7)).shape == (6, 7)


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3), st.lists, max_leaves=9)
)
def test_any_outline_gives_drawable_polygons_or_is_refused(outline):
    try:
        polygons = coco_file.checked_polygons(outline if isinstance(outline, list) else [outline], 6, 7)
    except ValueError:
        return
    for polygon in polygons:
        assert run_lengths.decode(run_lengths.frPyObjects([polygon], 6, 7)).shape == (6, 7, 1)
