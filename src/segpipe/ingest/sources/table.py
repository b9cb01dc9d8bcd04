"""Turns one row of a CSV, Parquet or TFDS table into a record: which column is what."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest import splits
from segpipe.ingest.record import Record
from segpipe.io import files


@dataclass(frozen=True)
class Columns:
    """Column names; "" where there is none.

    Attributes:
      image: path or encoded bytes.
      mask: the same.
      id: of the picture.
      split: names train, eval or test.
      group: rows with the same value stay in one split; a row without a value is dealt on its own.
      slices: kept for sliced metrics.
    """

    image: str
    mask: str
    id: str
    split: str
    group: str
    slices: tuple[str, ...]

    @classmethod
    def of(cls, config: Config, image: str = "image", mask: str = "mask") -> "Columns":
        """The config's columns; `image` and `mask` where it names none."""
        source, split = config.source, config.split
        return cls(
            source.image_column or image,
            source.mask_column or mask,
            source.id_column,
            split.column,
            split.group_column,
            source.slice_columns,
        )

    @property
    def names(self) -> list[str]:
        """Every column that is read, once."""
        return list(
            dict.fromkeys(
                name for name in (self.image, self.mask, self.id, self.split, self.group, *self.slices) if name
            )
        )

    def check(self, there: Collection[str], where: str) -> None:
        """Checks that a table has every column.

        Raises:
          DataError: it has not; the columns that it has are listed.
        """
        missing = [name for name in self.names if name not in there]
        if missing:
            raise DataError(
                f"{where} has no column {', '.join(missing)}; it has {', '.join(there)}. "
                "Name columns in [source] (image_column, mask_column, id_column, slice_columns) and [split]."
            )

    def record(self, row: Mapping[str, Any], key: str, folders: tuple[str, str], where: str) -> Record:
        """One row as a record.

        Args:
          row: value by column.
          key: the id where no column has it.
          folders: where relative paths of images and of masks start.
          where: how errors call the table.

        Raises:
          DataError: a cell is empty or the split has no known name.
        """
        for name in (self.image, self.mask, self.id, self.split):
            if name and row[name] in (None, ""):
                raise DataError(f"{where}: column {name} is empty in row {key}.")
        return Record(
            id=str(row[self.id]) if self.id else key,
            image=_content(row[self.image], folders[0], f"{where}: column {self.image}"),
            mask=_content(row[self.mask], folders[1], f"{where}: column {self.mask}"),
            split=splits.named(str(row[self.split]), where) if self.split else None,
            group=str(row[self.group]) if self.group and row[self.group] is not None else "",
            slices=tuple((name, str(row[name])) for name in self.slices if row[name] not in (None, "")),
        )


def folders_of(path: str, config: Config) -> tuple[str, str]:
    """Where the relative paths of images and of masks in the table `path` start."""
    folder = path.rpartition("/")[0]
    return files.join(folder, config.source.images), files.join(folder, config.source.masks)


def located(value: str, folder: str) -> str:
    """The path or URL that a cell names."""
    return value if files.is_url(value) or value.startswith("/") else files.join(folder, value)


def portable(value: str, folder: str) -> str:
    """The cell with slashes for backslashes if no file has its name as it is: tables written on Windows."""
    if "\\" not in value or files.exists(located(value, folder)):
        return value
    return value.replace("\\", "/")


def _content(value: Any, folder: str, where: str) -> str | bytes:
    """A cell as path or bytes; the Hugging Face Image feature is a struct of both."""
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return located(value, folder)
    raise DataError(f"{where} holds {type(value).__name__}; a path or the encoded bytes of a picture are expected.")
