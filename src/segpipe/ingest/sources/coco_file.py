"""Reads one COCO annotation file and checks everything that masks are drawn from: a file from outside is not trusted.

The format: https://cocodataset.org/#format-data. What tools leave out or write otherwise is read if it can mean one
thing only (ids as text, no `area`, no `id`, one polygon without its list); anything else is a sentence.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from segpipe.errors import DataError
from segpipe.io import files
from segpipe.text import first_five

_SMALLEST_POLYGON = 6
"""Coordinates of a triangle; what has fewer covers nothing."""

_FAR = 4
"""How many picture sides a coordinate may lie outside the picture. pycocotools draws on a grid as large as the polygon,
and a far point overruns its memory: https://github.com/cocodataset/cocoapi/issues/380."""

Id: TypeAlias = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
"""An id as text: some tools write "7" in one place and 7 in another."""

Side: TypeAlias = Annotated[int, Field(gt=0, le=1_000_000)]


class _Item(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Image(_Item):
    """One entry of `images`; the size is read from the picture if the file lacks it."""

    id: Id
    file_name: Annotated[str, Field(min_length=1)]
    height: Side | None = None
    width: Side | None = None


class Category(_Item):
    """One entry of `categories`."""

    id: Id
    name: str


class Annotation(_Item):
    """One entry of `annotations`; `segmentation` is checked when it is drawn, against its picture's size."""

    id: int | str | None = None
    image_id: Id
    category_id: Id | None = None
    segmentation: list[Any] | dict[str, Any] | None = None
    area: Annotated[float, Field(allow_inf_nan=False)] | None = None
    iscrowd: bool | None = None


class CocoFile(_Item):
    """What an annotation file holds."""

    images: list[Image]
    annotations: list[Annotation]
    categories: list[Category]


def read(path: str) -> CocoFile:
    """Reads and validates a file.

    Raises:
      DataError: it is not JSON or not COCO, an annotation belongs to no image, or no annotation has an outline that
        covers a pixel of a class.
    """
    try:
        content = json.loads(files.read(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}.") from None
    keys = content if isinstance(content, dict) else {}
    if missing := [key for key in CocoFile.model_fields if key not in keys]:
        raise DataError(f"{path} is not a COCO annotation file: it has no {', '.join(missing)}.")
    try:
        coco = CocoFile.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{path} is not a COCO annotation file: {_first_problem(error)}.") from None
    _check_images(coco, path)
    _check_outlines(coco.annotations, path)
    return coco


def polygons(segmentation: Sequence[Any]) -> list[Any]:
    """The polygons of a `segmentation` list; a list of plain numbers is one polygon."""
    if segmentation and not any(isinstance(polygon, list) for polygon in segmentation):
        return [segmentation]
    return list(segmentation)


def area(annotation: Annotation) -> float:
    """What the annotation covers, in pixels: as the file says, or else from the outline. 0 for a damaged outline."""
    if annotation.area is not None:
        return annotation.area
    outline = annotation.segmentation
    try:
        if isinstance(outline, dict):
            counts = outline["counts"]
            return float(sum(counts[1::2] if isinstance(counts, list) else _decompressed(counts)[1::2]))
        return sum(_polygon_area(polygon) for polygon in polygons(outline or ()))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return 0.0


def checked_polygons(segmentation: Sequence[Any], height: int, width: int) -> list[list[float]]:
    """The polygons of an outline that cover something, each as [x1, y1, x2, y2, …] in pixels.

    Raises:
      ValueError: a coordinate is no finite number, lies far outside the picture, or has no partner.
    """
    limit = _FAR * max(height, width)
    checked = []
    for polygon in polygons(segmentation):
        numbers = _numbers(polygon)
        if len(numbers) % 2:
            raise ValueError(f"a polygon has {len(numbers)} coordinates, an odd number")
        if len(numbers) and not np.abs(numbers).max() <= limit:  # Not "greater than": a NaN is no coordinate.
            worst = numbers[np.argmax(np.abs(numbers))]
            raise ValueError(f"a polygon has the coordinate {worst:g}; the picture is {width}×{height}")
        if len(numbers) >= _SMALLEST_POLYGON:
            checked.append(numbers.tolist())
    return checked


def checked_run_lengths(segmentation: Mapping[str, Any], height: int, width: int) -> dict[str, Any]:
    """Run lengths with `counts` as a list of pixels that adds up to the picture.

    Raises:
      ValueError: they are of another size, do not add up to it, or are no run lengths.
    """
    if "counts" not in segmentation:
        raise ValueError("its run lengths have no counts")
    size = segmentation.get("size", [height, width])
    if size != [height, width]:
        raise ValueError(f"its run lengths are of the size {size}; the picture's is {[height, width]} (height, width)")
    counts = segmentation["counts"]
    lengths = _decompressed(counts) if isinstance(counts, str) else counts
    if not isinstance(lengths, list) or any(type(length) is not int or length < 0 for length in lengths):
        raise ValueError("its counts are no run lengths")
    if sum(lengths) != height * width:
        raise ValueError(f"its run lengths add up to {sum(lengths)} pixels; the picture has {height * width}")
    return {"size": [height, width], "counts": lengths}


def _check_images(coco: CocoFile, path: str) -> None:
    known = {image.id for image in coco.images}
    if len(known) < len(coco.images):
        raise DataError(f"{path}: {len(coco.images) - len(known)} images have the id of another; ids must be unique.")
    strays = [annotation.image_id for annotation in coco.annotations if annotation.image_id not in known]
    if strays:
        raise DataError(
            f"{path}: {len(strays)} of {len(coco.annotations)} annotations belong to no image: nothing in images has "
            f"the id {first_five(sorted(set(strays)))}. Add these images or take their annotations out."
        )


def _check_outlines(annotations: Sequence[Annotation], path: str) -> None:
    """Refuses a file that would make every mask background."""
    if not annotations:
        return
    number = f"all {len(annotations)} annotations" if len(annotations) > 1 else "the only annotation"
    outlined = [annotation for annotation in annotations if annotation.segmentation]
    if not outlined:
        raise DataError(
            f"{path}: no segmentation in {number}, boxes only; a mask needs outlines. Export polygons or run lengths."
        )
    if not any(_covers_something(annotation) for annotation in outlined):
        raise DataError(
            f"{path}: no outline in {number} has three points; these look like boxes. Export polygons or run lengths."
        )
    if all(annotation.iscrowd for annotation in outlined):
        raise DataError(
            f"{path}: {number} with iscrowd = 1: crowds are ignored, so no class but the first would have a pixel. "
            "Write iscrowd = 0 for outlines of single objects."
        )


def _covers_something(annotation: Annotation) -> bool:
    outline = annotation.segmentation or ()
    if isinstance(outline, dict):
        return True
    return any(not isinstance(polygon, list) or len(polygon) >= _SMALLEST_POLYGON for polygon in polygons(outline))


def _numbers(polygon: Any) -> np.ndarray:
    if not isinstance(polygon, list) or any(type(number) not in (int, float) for number in polygon):
        raise ValueError("a polygon is no list of numbers")
    try:
        return np.array(polygon, np.float64)
    except OverflowError:
        raise ValueError("a polygon has a coordinate that is too large for any picture") from None


def _polygon_area(polygon: Any) -> float:
    """Gauss's area formula."""
    points = _numbers(polygon).reshape(-1, 2)
    following = np.roll(points, -1, axis=0)
    area_px = abs(float(np.sum(points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]))) / 2
    return area_px if math.isfinite(area_px) else 0.0


def _decompressed(text: Any) -> list[int]:
    """Run lengths out of COCO's compressed text: 5 bits a character, each run from the third on as a difference.

    Source: rleFrString in https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c

    Raises:
      ValueError: the text holds another character, a number without end, or ends within one.
    """
    if not isinstance(text, str):
        raise ValueError("its counts are no run lengths")
    lengths: list[int] = []
    number, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("its counts are no run lengths")
        number |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            number -= 1 << shift
        lengths.append(number + (lengths[-2] if len(lengths) > 2 else 0))
        number, shift = 0, 0
    if shift:
        raise ValueError("its run lengths end within a number")
    return lengths


def _first_problem(error: ValidationError) -> str:
    """The first problem as the end of a sentence, as in "images must be a list, got an object"."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    kinds = {"list_type": "must be a list", "model_type": "must be an object", "missing": "is missing"}
    if problem["type"] == "missing":
        return f"{place} is missing"
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null"}
    value = problem["input"]
    shown = names.get(type(value), repr(value)[:60])
    what = kinds.get(problem["type"], problem["msg"][0].lower() + problem["msg"][1:])
    return f"{place} {what}, got {shown}" if problem["type"] in kinds else f"{place}: {what}, got {shown}"
