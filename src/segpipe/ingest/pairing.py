"""Guesses how masks are named after their images, for folders in which the names differ by more than their suffix."""

import re
from collections import Counter
from collections.abc import Collection

from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest.sources import folder
from segpipe.io import files

_MOST_PAIRS = 0.5
"""Share of the images that a naming must pair up; `folder` then names those that are left."""


def guess(config: Config) -> Config:
    """The config with `source.image_regex` and `mask_regex`, if masks carry a constant prefix or suffix.

    Two layouts are known: folders of images and masks, as in images/a.jpg and masks/a_mask.png, and one folder with
    both, as in a.jpg and a_mask.png. A config that pairs up, or says itself how names pair up, stays as it is.

    Raises:
      DataError: `source.path` is no folder.
    """
    source = config.source
    if source.image_regex or source.kind != "folder":
        return config
    root = folder.root(config)
    try:
        image_folder, mask_folder = folder.images_folder(config), folder.masks_folder(config)
    except DataError:
        image_folder = mask_folder = "."
        patterns = _in_one_folder(_stems(root)) if not (source.images or source.masks) else None
    else:
        patterns = _in_two_folders(_stems(files.join(root, image_folder)), _stems(files.join(root, mask_folder)))
    if patterns is None:
        return config
    image_regex, mask_regex = patterns
    named = {"images": image_folder, "masks": mask_folder, "image_regex": image_regex, "mask_regex": mask_regex}
    return config.model_copy(update={"source": source.model_copy(update=named)})


def _stems(path: str) -> set[str]:
    return {name for name, _ in folder.pictures(path)}


def _in_two_folders(images: Collection[str], masks: Collection[str]) -> tuple[str, str] | None:
    if not images or not masks or set(images) & set(masks):
        return None
    first = min(masks)
    for image in sorted(images, key=len, reverse=True):
        before, name, behind = first.partition(image)
        if not name:
            continue
        pairs = sum(f"{before}{stem}{behind}" in masks for stem in images)
        if pairs == len(masks) and pairs >= _MOST_PAIRS * len(images):
            return r"(?P<id>.+)\.[^./]+", rf"{re.escape(before)}(?P<id>.+){re.escape(behind)}\.[^./]+"
    return None


def _in_one_folder(stems: Collection[str]) -> tuple[str, str] | None:
    """The suffix that half of the names have in addition: it must begin with a sign, so that a1 is no mask of a."""
    suffixes: Counter[str] = Counter()
    for stem in stems:
        for match in re.finditer(r"[-_. ]", stem):
            if stem[: match.start()] in stems:
                suffixes[stem[match.start() :]] += 1
    if not suffixes:
        return None
    suffix, pairs = suffixes.most_common(1)[0]
    if suffix.lstrip("-_. ").isdigit() or pairs < _MOST_PAIRS * (len(stems) - pairs):
        return None
    return rf"(?P<id>.+)(?<!{re.escape(suffix)})\.[^./]+", rf"(?P<id>.+){re.escape(suffix)}\.[^./]+"
