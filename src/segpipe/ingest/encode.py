"""Encodes a record as a serialized Example; `prepare` and the pipeline's ExampleGen both call it."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from segpipe import schema
from segpipe.config import Config
from segpipe.config.data import Data
from segpipe.ingest import example, masks, picture
from segpipe.ingest.record import Record
from segpipe.ingest.splits import assign
from segpipe.io import files


@dataclass(frozen=True)
class Encoded:
    """A serialized `tf.train.Example` and the split it belongs to."""

    split: str
    example: bytes


def encode(record: Record, config: Config) -> Encoded:
    """Reads, checks and serializes one picture.

    Raises:
      BadPictureError: it cannot be used; the message is one sentence that names the file.
    """
    image, image_name = content(record.image, record.id, "image")
    mask, mask_name = content(record.mask, record.id, "mask")
    checked = picture.check(
        image, mask, meaning(record, config.data), config.source.max_megapixels, image_name, mask_name
    )
    features: dict[str, example.Value] = {
        schema.IMAGE: checked.image,
        schema.MASK: checked.mask,
        schema.ID: record.id.encode(),
        schema.HEIGHT: checked.height,
        schema.WIDTH: checked.width,
        schema.CLASS_FRACTION: checked.class_fraction,
        **checked.statistics,
    }
    for name, value in record.slices:
        features[schema.SLICE_PREFIX + name] = value.encode()
    return Encoded(assign(record, config.split), example.encode(features))


def meaning(record: Record, data: Data) -> masks.Meaning:
    """What the record's mask means: its values where it holds some by itself, else what the config says of files."""
    return _meaning(data, record.ignored, record.holds_values or isinstance(record.mask, np.ndarray))


@cache
def _meaning(data: Data, ignored: tuple[int, ...], holds_values: bool) -> masks.Meaning:
    """The same for every picture, with the tables that it looks values up in."""
    return masks.Meaning.of(data, ignored, holds_values)


def content(value: str | bytes | np.ndarray, record_id: str, what: str) -> tuple[Any, str]:
    """The content of a path, or what the record holds itself; and how errors call it.

    Raises:
      BadPictureError: there is no such file, or it may not be read.
    """
    if not isinstance(value, str):
        return value, f"the {what} of {record_id}"
    name = files.shown(value)
    try:
        return files.read(value), name
    except FileNotFoundError:
        raise picture.BadPictureError(f"{name} does not exist.") from None
    except OSError as error:
        raise picture.BadPictureError(f"{name} cannot be read: {error.strerror or type(error).__name__}.") from None
