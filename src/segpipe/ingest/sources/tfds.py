"""Lists a TensorFlow Datasets data set; Oxford-IIIT Pet unless another is named.

What TFDS prepared is read straight from its TFRecord files, so the encoded pictures pass through as they are and the
workers need no TensorFlow. Only to download and prepare a data set is TFDS itself imported.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from segpipe.config import Config
from segpipe.config.source import Split
from segpipe.errors import DataError
from segpipe.ingest import example, splits
from segpipe.ingest.record import Part, Record
from segpipe.ingest.sources.table import Columns
from segpipe.io import files, tfrecord

DEFAULT = "oxford_iiit_pet"
_DATA_DIR = "~/tensorflow_datasets"
_FILE_NAME = "file_name"
"""Feature whose value, less its suffix, is the id; any other one's is the id as it is."""


@dataclass(frozen=True)
class Shard:
    """One file that TFDS wrote.

    Attributes:
      path: of the file.
      size: number of its records.
      columns: which feature is what.
      names: class names of the features that are class labels, by feature.
      split: TFDS's name for it, in ours.
      given: the splits that the data set has.
      of_config: how missing splits are carved out.
    """

    path: str
    size: int
    columns: Columns
    names: Mapping[str, tuple[str, ...]]
    split: str
    given: frozenset[str]
    of_config: Split

    def records(self) -> Iterator[Record]:
        """Yields the file's examples.

        Raises:
          DataError: the file is damaged or lacks a feature.
        """
        stem = PurePosixPath(self.path).name
        with files.open_to_read(self.path) as stream:
            for index, serialized in enumerate(tfrecord.read(stream, self.path)):  # type: ignore[arg-type]
                features = example.decode(serialized)
                self.columns.check(features.keys(), self.path)
                row = {name: self._value(name, features[name]) for name in self.columns.names}
                record = self.columns.record(row, f"{stem}-{index:06d}", ("", ""), self.path)
                named = record.id.rpartition(".")[0] if self.columns.id == _FILE_NAME else ""
                placed = replace(record, id=named or record.id, split=self.split)
                yield splits.complete(placed, self.given, self.of_config)

    def _value(self, name: str, values: list[Any]) -> Any:
        value = values[0] if values else None
        if name in self.names and isinstance(value, int) and value >= 0:
            return self.names[name][value]
        if isinstance(value, bytes) and name not in (self.columns.image, self.columns.mask):
            return value.decode()
        return value


def parts(config: Config) -> list[Part]:
    """Every file of every split; TFDS's own test split stays the test split.

    Raises:
      DataError: the data set is not there and cannot be downloaded, or is not stored as TFRecord.
    """
    folder = _prepared(config)
    info = _json(folder, "dataset_info.json")
    if info.get("fileFormat", "tfrecord") != "tfrecord":
        raise DataError(f"{folder} is stored as {info['fileFormat']}; prepare it with TFDS's default, tfrecord.")
    columns = _columns(config)
    names = _class_names(folder, columns)
    shards = [
        (splits.named(split["name"], folder), *shard) for split in info["splits"] for shard in _shards(info, split)
    ]
    given = frozenset(split for split, *_ in shards)
    return [
        Shard(files.join(folder, name), size, columns, names, split, given, config.split)
        for split, name, size in shards
        if size
    ]


def entries(config: Config) -> list[files.Entry]:
    """The files of the prepared data set, for digests."""
    return files.listing(_prepared(config))


def _columns(config: Config) -> Columns:
    columns = Columns.of(config, image="image", mask="segmentation_mask")
    named = config.source.dataset.partition(":")[0] or DEFAULT
    return columns if columns.id or named != DEFAULT else replace(columns, id=_FILE_NAME)


def _prepared(config: Config) -> str:
    """The folder of the newest version; downloaded and prepared by TFDS where it is not there.

    Raises:
      DataError: that failed.
    """
    name, _, version = (config.source.dataset or DEFAULT).partition(":")
    path = config.source.path or str(Path(_DATA_DIR).expanduser())
    data_dir = path if files.is_url(path) else str(config.resolve(path))
    if found := _newest(files.join(data_dir, name), version):
        return found
    try:
        import tensorflow_datasets

        tensorflow_datasets.builder(config.source.dataset or DEFAULT, data_dir=data_dir).download_and_prepare()
    except ImportError:
        raise DataError('source.kind = "tfds" needs tensorflow-datasets; install segpipe[sources].') from None
    except Exception as error:  # A download fails in as many ways as there are servers.
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise DataError(f"TFDS cannot prepare {name} in {data_dir}: {reason}.") from None
    if found := _newest(files.join(data_dir, name), version):
        return found
    raise DataError(f"TFDS prepared {name}, but {data_dir} has no version {version or 'of it'}.")


def _newest(folder: str, version: str) -> str | None:
    """The version's folder with the highest number, or the one asked for."""
    found = [PurePosixPath(path.rstrip("/")).name for path in files.names_in(folder)]
    versions = [name for name in found if re.fullmatch(r"\d+\.\d+\.\d+", name) and version in ("", name)]
    complete = [name for name in versions if files.exists(files.join(folder, f"{name}/dataset_info.json"))]
    if not complete:
        return None
    return files.join(folder, max(complete, key=lambda name: tuple(map(int, name.split(".")))))


def _shards(info: Mapping[str, Any], split: Mapping[str, Any]) -> list[tuple[str, int]]:
    """File name and number of examples of each shard of one split."""
    lengths = [int(length) for length in split["shardLengths"]]
    template = split.get("filepathTemplate") or "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    return [
        (
            template.format(
                DATASET=info["name"],
                SPLIT=split["name"],
                FILEFORMAT="tfrecord",
                SHARD_INDEX=f"{index:05d}",
                NUM_SHARDS=f"{len(lengths):05d}",
                SHARD_X_OF_Y=f"{index:05d}-of-{len(lengths):05d}",
            ),
            length,
        )
        for index, length in enumerate(lengths)
    ]


def _class_names(folder: str, columns: Columns) -> dict[str, tuple[str, ...]]:
    """What TFDS notes of each class label in <feature>.labels.txt."""
    found = {}
    for name in columns.slices:
        path = files.join(folder, f"{name}.labels.txt")
        if files.exists(path):
            found[name] = tuple(files.read(path).decode().split("\n"))
    return found


def _json(folder: str, name: str) -> dict[str, Any]:
    return dict(json.loads(files.read(files.join(folder, name))))
