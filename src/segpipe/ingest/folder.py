"""A folder of images and a folder of masks in, records out, paired by file name; nothing is decoded."""

from pathlib import PurePosixPath

from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest import files
from segpipe.ingest.files import join
from segpipe.ingest.record import Record
from segpipe.ingest.wording import count, first_five

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


def records(config: Config) -> list[Record]:
    """Lists the pairs of `source.path`, by id: the image's path under the images folder, without its suffix.

    Raises:
      DataError: a folder is missing, an image has no mask or the other way round, or two files have one id.
    """
    images = _by_stem(join(root(config), images_folder(config)))
    masks = _by_stem(join(root(config), masks_folder(config)))
    if not images:
        raise DataError(f"{join(root(config), images_folder(config))} holds no pictures; {_suffixes()}.")
    _check_pairs(images, masks)
    return [Record(id=stem, image=images[stem], mask=masks[stem]) for stem in sorted(images)]


def entries(config: Config) -> list[files.Entry]:
    """Every picture file that `records` pairs up, with its version, for digests."""
    folders = (images_folder(config), masks_folder(config))
    return [entry for folder in folders for entry in _pictures(join(root(config), folder))]


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
    """The images folder, relative to the root."""
    return _existing(config, "images", config.source.images, IMAGE_FOLDERS)


def masks_folder(config: Config) -> str:
    """The masks folder, relative to the root."""
    return _existing(config, "masks", config.source.masks, MASK_FOLDERS)


def _existing(config: Config, key: str, wanted: str, candidates: tuple[str, ...]) -> str:
    """The folder that the config names, or, where it names none, the first candidate that exists."""
    folder = root(config)
    if wanted:
        if not files.is_folder(join(folder, wanted)):
            raise DataError(f"source.{key}: there is no folder {join(folder, wanted)}.")
        return wanted
    for candidate in candidates:
        if files.is_folder(join(folder, candidate)):
            return candidate
    raise DataError(f"{folder} has no folder {', '.join(candidates[:4])} or the like; name it with source.{key}.")


def _pictures(folder: str) -> list[files.Entry]:
    return [entry for entry in files.listing(folder) if PurePosixPath(entry.path).suffix.lower() in PICTURE_SUFFIXES]


def _by_stem(folder: str) -> dict[str, str]:
    """Path by id."""
    paths: dict[str, str] = {}
    for entry in _pictures(folder):
        relative = PurePosixPath(entry.path[len(folder) :].lstrip("/"))
        stem = str(relative.with_suffix(""))
        if stem in paths:
            raise DataError(f"{paths[stem]} and {entry.path} have the same id {stem!r}; rename one of them.")
        paths[stem] = entry.path
    return paths


def _check_pairs(images: dict[str, str], masks: dict[str, str]) -> None:
    lonely = [images[stem] for stem in sorted(images.keys() - masks.keys())]
    orphans = [masks[stem] for stem in sorted(masks.keys() - images.keys())]
    problems = []
    if lonely:
        problems.append(f"{count(len(lonely), 'image')} without a mask ({first_five(lonely)})")
    if orphans:
        problems.append(f"{count(len(orphans), 'mask')} without an image ({first_five(orphans)})")
    if problems:
        raise DataError(f"{' and '.join(problems)}; a pair has the same file name but for the suffix.")


def _suffixes() -> str:
    return "known suffixes are " + ", ".join(sorted(PICTURE_SUFFIXES))
