"""Lists a folder of images and a folder of masks, paired by file name; decodes nothing."""

import os
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from segpipe.config import Config
from segpipe.config.source import Split
from segpipe.errors import DataError
from segpipe.ingest import splits
from segpipe.ingest.record import Part, Record, in_parts
from segpipe.io import files
from segpipe.io.files import join
from segpipe.text import count, first_five

MASK_FOLDERS = (
    "masks", "mask", "trimaps", "labels", "label", "annotations/trimaps", "annotations", "SegmentationClass",
    "segmentations", "segmentation", "ground_truth", "groundtruth", "gt",
)  # fmt: skip
"""Where masks are looked for when the config does not say; the first that exists."""

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "JPEGImages", "pictures", "photos", "input", "inputs")
"""Where images are looked for when the config does not say; the first that exists."""

PICTURE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif",
    ".ppm", ".pgm", ".pnm", ".jp2", ".avif", ".tga",
})  # fmt: skip
"""Other files in the folders are left alone."""


class _File(NamedTuple):
    path: str
    relative: str
    split: str | None


def parts(config: Config) -> list[Part]:
    """The pairs in parts, in an order that mixes pictures whose names lie together."""
    return in_parts(sorted(records(config), key=lambda record: splits.unit_hash(record.id, 0)))


def records(config: Config) -> list[Record]:
    """Lists the pairs of `source.path`, by id: the image's path under the images folder, without its suffix.

    Raises:
      DataError: a folder is missing, an image has no mask or the other way round, or two files have one id.
    """
    images_root = join(root(config), images_folder(config))
    images = _by_id(images_root, config.source.image_regex)
    masks = _by_id(join(root(config), masks_folder(config)), config.source.mask_regex)
    if not images:
        wanted = f"none that matches source.image_regex {config.source.image_regex!r}"
        known = f"known suffixes are {', '.join(sorted(PICTURE_SUFFIXES))}"
        raise DataError(f"{images_root} holds no pictures, {wanted if config.source.image_regex else known}.")
    _check_pairs(images, masks)
    given = _given_splits(images, config.split)
    found = [Record(key, images[key].path, masks[key].path, given.get(key)) for key in sorted(images)]
    return [splits.complete(record, set(given.values()), config.split) for record in found]


def entries(config: Config) -> list[files.Entry]:
    """Every picture file that `records` pairs up, with its version, for digests."""
    folders = {join(root(config), images_folder(config)), join(root(config), masks_folder(config))}
    return [entry for folder in sorted(folders) for entry in files.listing(folder) if _is_picture(entry.path)]


def root(config: Config) -> str:
    """The source's folder as a path or URL.

    Raises:
      DataError: `source.path` is empty or no folder.
    """
    path = config.source.path
    if not path:
        raise DataError('source.path is missing; say where the pictures are, as in path = "../pets".')
    if files.is_url(path):
        return path.rstrip("/")
    local = config.resolve(path)
    if not local.is_dir():
        raise DataError(f"source.path: there is no folder {local}.")
    return str(local)


def images_folder(config: Config) -> str:
    """The images folder, relative to the root; the root itself where regular expressions tell images from masks."""
    return _existing(config, "images", config.source.images, IMAGE_FOLDERS)


def masks_folder(config: Config) -> str:
    """The masks folder, likewise."""
    return _existing(config, "masks", config.source.masks, MASK_FOLDERS)


def _existing(config: Config, key: str, wanted: str, candidates: tuple[str, ...]) -> str:
    """The folder that the config names, or, where it names none, the first candidate that exists."""
    folder = root(config)
    if wanted:
        if not files.is_folder(join(folder, wanted)):
            raise DataError(f"source.{key}: there is no folder {join(folder, wanted)}.")
        return wanted
    if config.source.image_regex:
        return "."
    for candidate in candidates:
        if files.is_folder(join(folder, candidate)):
            return candidate
    raise DataError(f"{folder} has no folder {', '.join(candidates[:4])} or the like; name it with source.{key}.")


def pictures(path: str) -> Iterator[tuple[str, str]]:
    """Each picture below a folder: its path in there without the suffix, and its whole path or URL."""
    for file in filter(_is_picture, files.paths_under(path)):
        yield _split_suffix(file[len(path) :].lstrip("/"))[0], file


def _is_picture(path: str) -> bool:
    return _split_suffix(path)[1].lower() in PICTURE_SUFFIXES


def _split_suffix(path: str) -> tuple[str, str]:
    """A path in two, as "a/b" and ".jpg"."""
    return os.path.splitext(path)  # noqa: PTH122 (Ten times as fast as PurePath, on every file of a listing.)


def _by_id(folder: str, pattern: str) -> dict[str, _File]:
    """File by id: what `pattern` names `id`, behind what it names `split`; the path without its suffix otherwise."""
    found: dict[str, _File] = {}
    for path in filter(_is_picture, files.paths_under(folder)):
        relative = path[len(folder) :].lstrip("/")
        split = None
        if pattern:
            if not (match := re.fullmatch(pattern, relative)):
                continue
            named = match.groupdict()
            split = splits.named(named["split"], path) if named.get("split") else None
            key = f"{split}/{named['id']}" if split else named["id"]
        else:
            key = _split_suffix(relative)[0]
        # A Mac writes ü as two characters, others as one: NFC makes one pair of both.
        key = unicodedata.normalize("NFC", os.fsencode(key).decode("utf-8", "backslashreplace"))
        if key in found:
            raise DataError(f"{found[key].path} and {path} have the same id {key!r}; rename one of them.")
        found[key] = _File(path, relative, split)
    return found


def _given_splits(images: dict[str, _File], split: Split) -> dict[str, str]:
    """Split by id where the data decides: by globs, by the regular expression, or by folders train/, val/ and test/."""
    if split.globs:
        return {key: splits.by_glob(file.relative, split) for key, file in images.items()}
    by_regex = {key: file.split for key, file in images.items() if file.split}
    if by_regex:
        return by_regex
    by_folder = {key: splits.usual_name(file.relative.split("/")[0]) for key, file in images.items()}
    found = {key: name for key, name in by_folder.items() if name}
    return found if len(found) == len(images) else {}


def _check_pairs(images: dict[str, _File], masks: dict[str, _File]) -> None:
    lonely = [images[key].path for key in sorted(images.keys() - masks.keys())]
    orphans = [masks[key].path for key in sorted(masks.keys() - images.keys())]
    problems = []
    if lonely:
        problems.append(f"{count(len(lonely), 'image')} without a mask ({first_five(lonely)})")
    if orphans:
        problems.append(f"{count(len(orphans), 'mask')} without an image ({first_five(orphans)})")
    if problems:
        raise DataError(f"{' and '.join(problems)}; a pair has the same file name but for the suffix.")
