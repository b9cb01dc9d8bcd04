"""Lists the pictures of COCO annotation files and draws their polygons and run lengths into one mask per picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from segpipe import schema
from segpipe.config import Config
from segpipe.config.source import Split
from segpipe.errors import DataError
from segpipe.ingest import picture, splits
from segpipe.ingest.picture import BadPictureError
from segpipe.ingest.record import Part, Record, part_size
from segpipe.ingest.sources import coco_file
from segpipe.ingest.sources.table import portable
from segpipe.io import files
from segpipe.text import first_five

IGNORED = "ignore"
"""Class name in `source.categories` for what no loss and no metric counts."""

_ELSEWHERE = (".", "images", "../images", "../{name}", "..")
"""Where images may lie, as seen from the annotation file; {name} is train2017 of instances_train2017.json."""


@dataclass(frozen=True)
class Shape:
    """One annotation: a mask value and, as COCO has it, polygons or run lengths."""

    value: int
    segmentation: Any


@dataclass(frozen=True)
class Annotated:
    """One image with its annotations, the ones to be drawn first in front; no size if the file names none."""

    id: str
    path: str
    height: int | None
    width: int | None
    split: str | None
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Images:
    """A part: some images, whose masks are drawn when they are read."""

    images: tuple[Annotated, ...]
    background: int
    given: frozenset[str]
    of_config: Split
    max_megapixels: float

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
                mask = draw(_sized(image, self.max_megapixels), self.background)
            except BadPictureError as error:
                problem, mask = str(error), np.full((1, 1), schema.IGNORE, np.uint8)
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
    size, megapixels = part_size(len(found)), config.source.max_megapixels
    return [
        Images(tuple(found[start : start + size]), config.data.class_values[0], given, config.split, megapixels)
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
    images = coco_file.read(path).images
    folder = _folder(path, images, config.source.images)
    return [files.join(folder, portable(image.file_name, folder)) for image in images]


def _sized(image: Annotated, max_megapixels: float) -> Annotated:
    """The image with a size: as the annotation file says, or else as the picture's header does.

    Raises:
      BadPictureError: the picture cannot be read, or is so large that its mask would take the memory.
    """
    height, width = image.height, image.width
    if not (height and width):
        try:
            width, height = picture.size(files.read(image.path), image.path)
        except OSError as error:
            raise BadPictureError(f"{image.path} cannot be read: {error.strerror or type(error).__name__}.") from None
    if height * width > max_megapixels * 1e6:
        raise BadPictureError(
            f"{image.path} has {height * width / 1e6:,.0f} megapixels ({width}×{height}); source.max_megapixels allows "
            f"{max_megapixels:g}."
        )
    return replace(image, height=height, width=width)


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
    height, width = image.height or 0, image.width or 0
    mask = np.full((height, width), background, np.uint8)
    for shape in image.shapes:
        outline = shape.segmentation
        try:
            if isinstance(outline, dict):
                encoded = run_lengths.frPyObjects(coco_file.checked_run_lengths(outline, height, width), height, width)
            elif polygons := coco_file.checked_polygons(outline, height, width):
                encoded = run_lengths.merge(run_lengths.frPyObjects(polygons, height, width))
            else:
                continue
            drawn = run_lengths.decode(encoded).astype(bool)
            mask[drawn] = shape.value
        except Exception as error:  # pycocotools' C code raises almost anything.
            reason = str(error).rstrip(".") or type(error).__name__
            raise BadPictureError(f"an annotation of {image.path} cannot be drawn: {reason}.") from None
    return mask


def _images(path: str, split: str | None, config: Config) -> list[Annotated]:
    content = coco_file.read(path)
    values = _values(content, config, path)
    ordered = all(isinstance(annotation.id, int) for annotation in content.annotations)
    shapes: dict[str, list[tuple[float, int, Shape]]] = {}
    for position, annotation in enumerate(content.annotations):
        if not annotation.segmentation:
            continue
        category = annotation.category_id
        # A crowd's outline runs around many objects and what is between them.
        value = schema.IGNORE if annotation.iscrowd else values.get(category or "")
        if value is None:
            name = position if annotation.id is None else annotation.id
            raise DataError(
                f"{path}: annotation {name} has the category_id {category}, which is none of the file's "
                f"categories ({first_five(list(values))}); add it to them or mend the annotation."
            )
        # The larger first: what is small lies on top, as a cup on a table.
        tie = int(annotation.id or 0) if ordered else position
        shape = Shape(value, annotation.segmentation)
        shapes.setdefault(annotation.image_id, []).append((-coco_file.area(annotation), tie, shape))
    folder = _folder(path, content.images, config.source.images)
    names = [portable(image.file_name, folder) for image in content.images]
    name = PurePosixPath(path).stem
    return [
        Annotated(
            f"{name}/{PurePosixPath(file_name).with_suffix('')}",
            files.join(folder, file_name),
            image.height,
            image.width,
            split,
            tuple(shape for *_, shape in sorted(shapes.get(image.id, ()), key=lambda item: item[:2])),
        )
        for image, file_name in zip(content.images, names, strict=True)
    ]


def _values(content: coco_file.CocoFile, config: Config, path: str) -> dict[str, int]:
    """Mask value by category id: through `source.categories`, or by the class of the same name.

    A category that no annotation names needs no class: some tools write a root above all others.
    """
    value_of: Mapping[str, int] = {
        **dict(zip(config.data.classes, config.data.class_values, strict=True)),
        IGNORED: schema.IGNORE,
    }
    used = {annotation.category_id for annotation in content.annotations}
    categories = content.categories
    class_of = {category.id: config.source.categories.get(category.name, category.name) for category in categories}
    nameless = [category for category in categories if class_of[category.id] not in value_of]
    unknown = sorted(category.name for category in nameless if category.id in used)
    if unknown:
        raise DataError(
            f"{path} has categories without a class: {first_five(unknown)}. Map each in [source.categories] to one of "
            f"{', '.join(config.data.classes)} or {IGNORED}."
        )
    return {category: value_of[name] for category, name in class_of.items() if name in value_of}


def _folder(path: str, images: Sequence[coco_file.Image], wanted: str) -> str:
    """Where the images lie: the folder in which the first one is found."""
    if not images:
        return ""
    here, name = path.rpartition("/")[0], PurePosixPath(path).stem.rsplit("_", 1)[-1]
    tried = [files.join(here, candidate.format(name=name)) for candidate in ([wanted] if wanted else _ELSEWHERE)]
    for folder in tried:
        if files.exists(files.join(folder, portable(images[0].file_name, folder))):
            return folder
    first = images[0].file_name
    raise DataError(f"{first} of {path} is not in {', '.join(tried)}; name its folder in source.images.")


def _split_of(path: str, config: Config) -> str | None:
    if config.split.globs:
        return splits.of_file(path, files.name_below(path, config.locate(config.source.path)), config.split)
    return splits.usual_name(PurePosixPath(path).stem.rsplit("_", 1)[-1].rstrip("0123456789"))
