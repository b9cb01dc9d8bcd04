"""Lists a Pascal VOC folder: palette PNG masks, 255 at the borders, splits from its own lists."""

from dataclasses import replace

from segpipe import schema
from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest import splits
from segpipe.ingest.record import Part, Record, in_parts
from segpipe.ingest.sources import folder
from segpipe.io import files

IMAGES, MASKS, LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"


def parts(config: Config) -> list[Part]:
    """The pairs in parts, in an order that mixes pictures whose names lie together."""
    return in_parts(sorted(records(config), key=lambda record: splits.unit_hash(record.id, 0)))


def records(config: Config) -> list[Record]:
    """Every picture that has a mask; most of VOC's have none.

    Raises:
      DataError: the folders are missing, or a list names a picture without image or mask.
    """
    root = folder.root(config)
    for name in (IMAGES, MASKS):
        if not files.is_folder(files.join(root, name)):
            raise DataError(f"{root} has no folder {name}; source.path is the folder of one year, as in VOC2012.")
    images = {_stem(path): path for path in files.paths_under(files.join(root, IMAGES))}
    masks = {_stem(path): path for path in files.paths_under(files.join(root, MASKS))}
    split_of = _lists(root)
    for key in split_of or masks:
        if key not in images or key not in masks:
            raise DataError(f"{root}: {key} has no {'image' if key not in images else 'mask'}.")
    found = [
        Record(key, images[key], masks[key], split_of.get(key), ignored=(schema.IGNORE,))
        for key in sorted(split_of or masks)
    ]
    if config.split.globs:
        found = [replace(record, split=splits.by_glob(_name(images[record.id]), config.split)) for record in found]
    given = {record.split for record in found if record.split}
    return [splits.complete(record, given, config.split) for record in found]


def entries(config: Config) -> list[files.Entry]:
    """Images, masks and lists, for digests."""
    root = folder.root(config)
    folders = [files.join(root, name) for name in (IMAGES, MASKS, LISTS)]
    return [entry for one in folders if files.is_folder(one) for entry in files.listing(one)]


def _lists(root: str) -> dict[str, str]:
    """Split by id, from train.txt, val.txt and test.txt; empty where there are none. trainval.txt is their union."""
    if not files.is_folder(files.join(root, LISTS)):
        return {}
    found: dict[str, str] = {}
    for entry in files.listing(files.join(root, LISTS)):
        if split := splits.usual_name(_stem(entry.path)):
            found.update(dict.fromkeys(files.read(entry.path).decode().split(), split))
    return found


def _stem(path: str) -> str:
    return _name(path).rsplit(".", 1)[0]


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
