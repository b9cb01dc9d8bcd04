"""COCO annotation files in, records out: polygons and run lengths drawn into one mask per picture."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from segpipe import schema
from segpipe.config import Config, Split
from segpipe.errors import DataError
from segpipe.ingest import splits
from segpipe.ingest.picture import BadPictureError
from segpipe.ingest.record import Part, Record, part_size
from segpipe.io import files
from segpipe.text import first_five

IGNORED = "ignore"
"""Class name in `source.categories` for what no loss and no metric counts."""

_TRIANGLE = 6
"""Coordinates of the smallest polygon."""

_ELSEWHERE = (".", "images", "../images", "../{name}", "..")
"""Where images may lie, as seen from the annotation file; {name} is train2017 of instances_train2017.json."""


@dataclass(frozen=True)
class Shape:
    """One annotation: a mask value and, as COCO has it, polygons or run lengths."""

    value: int
    segmentation: Any


@dataclass(frozen=True)
class Annotated:
    """One image with its annotations, the ones to be drawn first in front."""

    id: str
    path: str
    height: int
    width: int
    split: str | None
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Images:
    """A part: some images, whose masks are drawn when they are read."""

    images: tuple[Annotated, ...]
    background: int
    given: frozenset[str]
    of_config: Split

    @property
    def size(self) -> int:
        """Number of images."""
        return len(self.images)

    def records(self) -> Iterator[Record]:
        """Yields each image with its mask; where an annotation cannot be drawn, with that problem and all ignored.

        Raises:
          DataError: pycocotools is missing.
        """
        for image in self.images:
            problem = ""
            try:
                mask = draw(image, self.background)
            except BadPictureError as error:
                problem, mask = str(error), np.full((image.height, image.width), schema.IGNORE, np.uint8)
            record = Record(image.id, image.path, mask, image.split, ignored=(schema.IGNORE,), problem=problem)
            yield splits.complete(record, self.given, self.of_config)


def parts(config: Config) -> list[Part]:
    """All images of all annotation files, without-annotation ones too: they are background.

    Raises:
      DataError: a file is no COCO file, a category has no class, or the images are not found.
    """
    by_file = {entry.path: _split_of(entry.path, config) for entry in _files(config)}
    if None in by_file.values():
        by_file = dict.fromkeys(by_file)
    found = [image for path, split in by_file.items() for image in _images(path, split, config)]
    found.sort(key=lambda image: splits.unit_hash(image.id, 0))
    given = frozenset(split for split in by_file.values() if split)
    size = part_size(len(found))
    return [
        Images(tuple(found[start : start + size]), config.data.class_values[0], given, config.split)
        for start in range(0, len(found), size)
    ]


def entries(config: Config) -> list[files.Entry]:
    """The annotation files and the images that they name, for digests."""
    found = _files(config)
    return [*found, *files.versions(path for entry in found for path in _named(entry.path, config))]


def _files(config: Config) -> list[files.Entry]:
    if not config.source.path:
        raise DataError('source.path is missing; name the annotations, as in path = "annotations/instances_*.json".')
    return files.matching(config.locate(config.source.path), (".json",))


def _named(path: str, config: Config) -> list[str]:
    images = _load(path)["images"]
    folder = _folder(path, images, config.source.images)
    return [files.join(folder, image["file_name"]) for image in images]


def draw(image: Annotated, background: int) -> np.ndarray:
    """Mask values of one image, uint8 [H, W]; what is drawn later covers what was drawn before.

    Raises:
      DataError: pycocotools is missing.
      BadPictureError: it cannot read an annotation.
    """
    try:
        from pycocotools import mask as run_lengths
    except ImportError:
        raise DataError('source.kind = "coco" needs pycocotools; install segpipe[sources].') from None
    mask = np.full((image.height, image.width), background, np.uint8)
    for shape in image.shapes:
        outline = shape.segmentation
        try:
            if isinstance(outline, list):
                # A line covers nothing: pycocotools leaves it out, too, but fails where it comes first.
                outline = [polygon for polygon in outline if len(polygon) >= _TRIANGLE]
                if not outline:
                    continue
                encoded = run_lengths.merge(run_lengths.frPyObjects(outline, image.height, image.width))
            elif isinstance(outline["counts"], list):
                encoded = run_lengths.frPyObjects(outline, image.height, image.width)
            else:
                encoded = outline
            drawn = run_lengths.decode(encoded).astype(bool)
            mask[drawn] = shape.value
        except Exception as error:  # pycocotools' C code raises almost anything.
            reason = str(error).rstrip(".") or type(error).__name__
            raise BadPictureError(f"an annotation of {image.path} cannot be drawn: {reason}.") from None
    return mask


def _images(path: str, split: str | None, config: Config) -> list[Annotated]:
    content = _load(path)
    values = _values(content["categories"], config, path)
    shapes: dict[Any, list[tuple[float, Any, Shape]]] = {}
    for annotation in content["annotations"]:
        outline = annotation.get("segmentation")
        if not outline:
            continue
        category = annotation.get("category_id")
        # A crowd's outline runs around many objects and what is between them.
        value = schema.IGNORE if annotation.get("iscrowd") else values.get(category)
        if value is None:
            raise DataError(
                f"{path}: annotation {annotation['id']} has the category_id {category}, which is none of the file's "
                f"categories ({first_five([str(known) for known in values])}); add it to them or mend the annotation."
            )
        # The larger first: what is small lies on top, as a cup on a table.
        order = (-float(annotation.get("area", 0)), annotation["id"])
        shapes.setdefault(annotation["image_id"], []).append((*order, Shape(value, outline)))
    folder = _folder(path, content["images"], config.source.images)
    name = PurePosixPath(path).stem
    return [
        Annotated(
            f"{name}/{PurePosixPath(image['file_name']).with_suffix('')}",
            files.join(folder, image["file_name"]),
            image["height"],
            image["width"],
            split,
            tuple(shape for *_, shape in sorted(shapes.get(image["id"], ()), key=lambda item: item[:2])),
        )
        for image in content["images"]
    ]


def _load(path: str) -> dict[str, Any]:
    try:
        content = json.loads(files.read(path))
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not JSON: {error}.") from None
    missing = [key for key in ("images", "annotations", "categories") if key not in content]
    if not isinstance(content, dict) or missing:
        raise DataError(f"{path} is not a COCO annotation file: it has no {', '.join(missing)}.")
    return content


def _values(categories: list[dict[str, Any]], config: Config, path: str) -> dict[Any, int]:
    """Mask value by category id: through `source.categories`, or by the class of the same name."""
    value_of: Mapping[str, int] = {
        **dict(zip(config.data.classes, config.data.class_values, strict=True)),
        IGNORED: schema.IGNORE,
    }
    names = [category["name"] for category in categories]
    mapped = {name: config.source.categories.get(name, name) for name in names}
    unknown = sorted(name for name, class_name in mapped.items() if class_name not in value_of)
    if unknown:
        raise DataError(
            f"{path} has categories without a class: {first_five(unknown)}. Map each in [source.categories] to one of "
            f"{', '.join(config.data.classes)} or {IGNORED}."
        )
    return {category["id"]: value_of[mapped[category["name"]]] for category in categories}


def _folder(path: str, images: list[dict[str, Any]], wanted: str) -> str:
    """Where the images lie: the folder in which the first one is found."""
    if not images:
        return ""
    here, name = path.rpartition("/")[0], PurePosixPath(path).stem.rsplit("_", 1)[-1]
    tried = [files.join(here, candidate.format(name=name)) for candidate in ([wanted] if wanted else _ELSEWHERE)]
    for folder in tried:
        if files.exists(files.join(folder, images[0]["file_name"])):
            return folder
    first = images[0]["file_name"]
    raise DataError(f"{first} of {path} is not in {', '.join(tried)}; name its folder in source.images.")


def _split_of(path: str, config: Config) -> str | None:
    if config.split.globs:
        return splits.of_file(path, files.name_below(path, config.locate(config.source.path)), config.split)
    return splits.usual_name(PurePosixPath(path).stem.rsplit("_", 1)[-1].rstrip("0123456789"))
