"""Parquet files with one row per picture, as paths or encoded bytes, in; records out, read one row group at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import IO, Any

from segpipe.config import Config, Split
from segpipe.errors import DataError
from segpipe.ingest import files, splits
from segpipe.ingest.record import Part, Record
from segpipe.ingest.sources.table import Columns

_BATCH_ROWS = 16
"""Rows held at a time; each has a whole encoded picture."""


@dataclass(frozen=True)
class RowGroup:
    """One row group of one file.

    Attributes:
      path: of the file.
      index: of the row group.
      first_row: number, in the file, of its first row.
      size: number of rows.
      columns: what is what.
      folders: where relative paths of images and masks start.
      split: of the whole file, where its name decides.
      given: the splits that the data set has.
      of_config: how missing splits are carved out.
    """

    path: str
    index: int
    first_row: int
    size: int
    columns: Columns
    folders: tuple[str, str]
    split: str | None
    given: frozenset[str]
    of_config: Split

    def records(self) -> Iterator[Record]:
        """Yields the rows.

        Raises:
          DataError: the row group is damaged or a cell is no picture.
        """
        import pyarrow as pa

        stem = PurePosixPath(self.path).stem
        row_number = self.first_row
        with files.open_to_read(self.path) as stream:
            try:
                batches = open_table(stream, self.path).iter_batches(_BATCH_ROWS, [self.index], self.columns.names)
                for batch in batches:
                    for row in batch.to_pylist():
                        record = self.columns.record(row, f"{stem}-{row_number:06d}", self.folders, self.path)
                        yield self._in_split(record)
                        row_number += 1
            except (pa.ArrowException, OSError) as error:
                raise DataError(f"{self.path} is damaged in row group {self.index}: {_line(error)}.") from None

    def _in_split(self, record: Record) -> Record:
        placed = replace(record, split=record.split or self.split)
        return splits.complete(placed, self.given, self.of_config)


def parts(config: Config) -> list[Part]:
    """Every row group of every file.

    Raises:
      DataError: a file is missing, no Parquet, cut off or lacks a column.
    """
    return parts_of([entry.path for entry in entries(config)], Columns.of(config), config)


def parts_of(
    paths: list[str], columns: Columns, config: Config, by_file: dict[str, str | None] | None = None
) -> list[Part]:
    """Every row group of some files.

    Args:
      paths: of the files.
      columns: what is what.
      config: of the run.
      by_file: split of each file; told by split.globs or by how its name starts where left out.
    """
    if by_file is None:
        by_file = {path: None if columns.split else splits.of_file(path, config.split) for path in paths}
    if None in by_file.values():  # Unless every file's name says its split, none does.
        by_file = dict.fromkeys(paths)
    given = frozenset(name for name in by_file.values() if name)
    if columns.split:
        given = frozenset(splits.named(name, path) for path in paths for name in _split_names(path, columns))
    found: list[Part] = []
    for path in paths:
        folder = path.rpartition("/")[0]
        folders = (files.join(folder, config.source.images), files.join(folder, config.source.masks))
        first_row = 0
        for index, rows in enumerate(_row_groups(path, columns)):
            found.append(RowGroup(path, index, first_row, rows, columns, folders, by_file[path], given, config.split))
            first_row += rows
    return found


def entries(config: Config) -> list[files.Entry]:
    """The Parquet files, for digests."""
    if not config.source.path:
        raise DataError('source.path is missing; name Parquet files, as in path = "data/*.parquet".')
    path = config.source.path if files.is_url(config.source.path) else str(config.resolve(config.source.path))
    return files.matching(path, (".parquet", ".pq"))


def _row_groups(path: str, columns: Columns) -> list[int]:
    """Rows of each row group."""
    with files.open_to_read(path) as stream:
        table = open_table(stream, path)
        columns.check(table.schema_arrow.names, path)
        return [table.metadata.row_group(index).num_rows for index in range(table.num_row_groups)]


def _split_names(path: str, columns: Columns) -> list[str]:
    """The names in the split column, read alone."""
    with files.open_to_read(path) as stream:
        table = open_table(stream, path)
        columns.check(table.schema_arrow.names, path)
        return sorted({str(name) for name in table.read([columns.split])[columns.split].unique().to_pylist()})


def open_table(stream: IO[bytes], path: str) -> Any:
    """The file as pyarrow's ParquetFile.

    Raises:
      DataError: it is none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(stream)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a Parquet file or was cut off: {_line(error)}.") from None


def _line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
