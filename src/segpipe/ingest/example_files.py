"""Reads serialized Examples from folders of TFRecord files, one after the other, without TensorFlow."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from segpipe.errors import DataError
from segpipe.io import files, tfrecord

_GZIP_MAGIC = b"\x1f\x8b"


def shards(folders: Sequence[str]) -> list[str]:
    """Every file of the folders or URLs, sorted.

    Raises:
      DataError: a folder is missing, or there is no file in any.
    """
    found = sorted(entry.path for folder in folders for entry in files.listing(folder))
    if not found:
        raise DataError(f"no TFRecord file in {', '.join(folders)}; is the split empty?")
    return found


def read(path: str) -> Iterator[bytes]:
    """Every Example of one file, squeezed by gzip or not.

    Raises:
      DataError: the file is damaged; it says at which record, or that gzip cannot unpack it.
    """
    with files.open_to_read(path) as raw:
        magic = raw.read(len(_GZIP_MAGIC))
        raw.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if magic == _GZIP_MAGIC else raw
        try:
            yield from tfrecord.read(cast(BinaryIO, stream), path)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path} is a damaged gzip file: {error}.") from None


def first(paths: Sequence[str]) -> bytes:
    """The first Example of the files.

    Raises:
      DataError: no file holds one.
    """
    for path in paths:
        for serialized in read(path):
            return serialized
    raise DataError(f"none of {len(paths)} TFRecord files holds an Example; is the split empty?")
