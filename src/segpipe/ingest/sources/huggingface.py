"""Lists a data set of the Hugging Face Hub, or a copy of its folder, from its Parquet files.

The files are read where they are, through the Hub's file system, row group by row group: nothing is copied to a cache.
"""

import json
import re
from pathlib import PurePosixPath
from typing import Any

from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest import splits
from segpipe.ingest.record import Part
from segpipe.ingest.sources import parquet
from segpipe.ingest.sources.table import Columns
from segpipe.io import files

_MASK_COLUMNS = ("mask", "annotation", "label", "labels", "segmentation_mask", "segmentation", "semantic_segmentation")
"""What data sets call the mask, in the order of trying."""

_CONVERTED = "@refs%2Fconvert%2Fparquet"
"""The branch in which the Hub keeps any data set as Parquet."""


def parts(config: Config) -> list[Part]:
    """Every row group, with the split that its file's name or folder tells.

    Raises:
      DataError: there are no Parquet files, or none of the columns is an image or a mask.
    """
    paths = {entry.path: _name(entry.path, config) for entry in entries(config)}
    columns = _columns(next(iter(paths)), config)
    if config.split.globs or columns.split:
        return parquet.parts_of(paths, columns, config)
    return parquet.parts_of(paths, columns, config, {path: _split_of(path) for path in paths})


def entries(config: Config) -> list[files.Entry]:
    """The Parquet files, for digests."""
    source = config.source
    if bool(source.dataset) == bool(source.path):
        raise DataError('source.kind = "huggingface" needs source.dataset = "owner/name", or source.path of a copy.')
    if source.path:
        roots = [config.locate(source.path)]
    else:
        hub = f"hf://datasets/{source.dataset}"
        roots = [hub, hub + _CONVERTED]
    for root in roots:
        found = [
            entry
            for entry in (files.listing(root) if files.is_folder(root) else [])
            if entry.path.endswith(".parquet") and (not source.subset or source.subset in entry.path.split("/"))
        ]
        if found:
            return found
    wanted = f" in a folder {source.subset}" if source.subset else ""
    raise DataError(f"{roots[0]} has no Parquet files{wanted}, or cannot be reached.")


def _columns(path: str, config: Config) -> Columns:
    """The config's columns, or the first that the data set's own features call an image and a mask."""
    images = _image_features(path)
    usual = [name for name in images if name in ("image", "img", "pixel_values")]
    image = (usual or images or ["image"])[0]
    mask = next((name for name in _MASK_COLUMNS if name in images and name != image), "mask")
    return Columns.of(config, image, mask)


def _image_features(path: str) -> list[str]:
    """Columns of the datasets library's type Image, which it notes in the file's metadata."""
    with files.open_to_read(path) as stream:
        noted: Any = (parquet.open_table(stream, path).schema_arrow.metadata or {}).get(b"huggingface", b"{}")
    features = json.loads(noted).get("info", {}).get("features", {})
    return [name for name, feature in features.items() if isinstance(feature, dict) and feature.get("_type") == "Image"]


def _name(path: str, config: Config) -> str:
    """The file's path in the data set: default/train/0000 and default/test/0000 are two files."""
    if config.source.dataset:  # As in hf://datasets/owner/name@refs%2Fconvert%2Fparquet/default/train/0000.parquet.
        return files.name_below(path, "/".join(path.split("/")[:5]))
    return files.name_below(path, config.locate(config.source.path))


def _split_of(path: str) -> str | None:
    """As in data/train-00000-of-00002.parquet and in default/validation/0000.parquet."""
    name = PurePosixPath(path)
    tokens = [re.split(r"[-_.]", name.name)[0], name.parent.name]
    return next((split for split in map(splits.usual_name, tokens) if split), None)
