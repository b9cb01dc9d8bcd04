"""Lists TFRecord files: Examples that segpipe wrote, or the flat float ones of the published pipeline."""

import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
from PIL import Image

from segpipe import schema
from segpipe.config import Config
from segpipe.config.source import Split
from segpipe.errors import DataError
from segpipe.ingest import example, splits
from segpipe.ingest.picture import png
from segpipe.ingest.record import Part, Record
from segpipe.io import files, tfrecord

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class RecordFile:
    """One file; how many records it has is known at its end.

    Attributes:
      path: of the file.
      name: what the ids of its records start with where they have none of their own.
      split: of the whole file, where its name decides.
      given: the splits that the data set has.
      of_config: how missing splits are carved out.
    """

    path: str
    name: str
    split: str | None
    given: frozenset[str]
    of_config: Split
    size: int | None = None

    def records(self) -> Iterator[Record]:
        """Yields the file's Examples.

        Raises:
          DataError: the file is damaged, or a record is neither of the two kinds.
        """
        for index, serialized in enumerate(_read(self.path)):
            where = f"{self.path} record {index}"
            features = example.decode(serialized, float_arrays=True)
            flat = "image_shape" in features
            record = _published(features, f"{self.name}-{index:06d}", where) if flat else _ours(features, where)
            placed = replace(record, split=self.split, ignored=(schema.IGNORE,), holds_values=True)
            yield splits.complete(placed, self.given, self.of_config)


def parts(config: Config) -> list[Part]:
    """Every file. Its split is told by split.globs, or by its name where all names start with a split's.

    Raises:
      DataError: there is no file, or a glob matches nothing.
    """
    searched = config.locate(config.source.path)
    paths = {entry.path: files.name_below(entry.path, searched) for entry in entries(config)}
    by_file = {path: splits.of_file(path, name, config.split) for path, name in paths.items()}
    if None in by_file.values():
        by_file = dict.fromkeys(paths)
    given = frozenset(split for split in by_file.values() if split)
    return [RecordFile(path, name, by_file[path], given, config.split) for path, name in paths.items()]


def entries(config: Config) -> list[files.Entry]:
    """The TFRecord files, for digests."""
    if not config.source.path:
        raise DataError('source.path is missing; name TFRecord files, as in path = "data/*.tfrec".')
    return files.matching(
        config.locate(config.source.path), (".tfrecord", ".tfrec", ".tfrecords", ".tfrecord.gz", ".gz")
    )


def _read(path: str) -> Iterator[bytes]:
    with files.open_to_read(path) as stream:
        zipped = stream.read(2) == _GZIP_MAGIC
        stream.seek(0)
        try:
            yield from tfrecord.read(_unzip(stream) if zipped else stream, path)  # type: ignore[arg-type]
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path} is a damaged gzip file: {error}.") from None


def _unzip(stream: IO[bytes]) -> IO[bytes]:
    return gzip.GzipFile(fileobj=stream)  # type: ignore[return-value]


def _ours(features: dict[str, Any], where: str) -> Record:
    """An Example of the data contract: its mask holds class ids already."""
    missing = [name for name in (schema.IMAGE, schema.MASK, schema.ID) if len(features.get(name, ())) != 1]
    if missing:
        raise DataError(
            f"{where} has no single {', '.join(missing)}; an Example of segpipe or of the published pipeline is "
            f"expected, this one has {', '.join(sorted(features)) or 'no features'}."
        )
    slices = tuple(
        (name.removeprefix(schema.SLICE_PREFIX), values[0].decode())
        for name, values in sorted(features.items())
        if name.startswith(schema.SLICE_PREFIX) and values
    )
    return Record(
        features[schema.ID][0].decode("utf-8", "backslashreplace"),
        features[schema.IMAGE][0],
        features[schema.MASK][0],
        slices=slices,
    )


def _published(features: dict[str, Any], key: str, where: str) -> Record:
    """The published pipeline's Example: pixels and labels as flat float lists.

    Its labels were resized bilinearly. A fraction lies between two classes and belongs to neither: it is ignored.
    """
    image = _array(features, "image", 3, where)
    label = _array(features, "label", 2, where)
    if 0 < image.max() <= 1 and (image != np.round(image)).any():
        raise DataError(f"{where}: image holds at most {image.max():g}, so it is scaled to 0…1; 0…255 is expected.")
    mask = np.where(label == np.floor(label), label, schema.IGNORE).astype(np.uint8)
    return Record(key, png(Image.fromarray(np.round(image).astype(np.uint8))), mask)


def _array(features: dict[str, Any], name: str, dimensions: int, where: str) -> np.ndarray:
    values, shape = features.get(name, []), features.get(f"{name}_shape", [])
    shape = shape[:dimensions]
    if len(shape) != dimensions or math.prod(shape) != len(values) or not len(values) or min(shape) < 1:
        raise DataError(f"{where}: {name} has {len(values)} values, which is not what {name}_shape says: {shape}.")
    array = np.asarray(values, np.float32).reshape(shape)
    if not (array.min() >= 0 and array.max() <= 255):  # NaN fails, too.
        raise DataError(f"{where}: {name} holds {array.min():g}…{array.max():g}; 0…255 is expected.")
    return array
