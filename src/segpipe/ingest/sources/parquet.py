"""Lists Parquet files with one row per picture, as paths or encoded bytes, one row group at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import IO, Any

from segpipe.config import Config
from segpipe.config.source import Split
from segpipe.errors import DataError
from segpipe.ingest import splits
from segpipe.ingest.record import Part, Record
from segpipe.ingest.sources.table import Columns, folders_of, located
from segpipe.io import files

_BATCH_BYTES = 8 << 20
"""Of rows held at a time: many small pictures, or one large one."""


@dataclass(frozen=True)
class RowGroup:
    """One row group of one file.

    Attributes:
      path: of the file.
      name: what the ids of its rows start with where no column has the id.
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
    name: str
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

        row_number = self.first_row
        with files.open_to_read(self.path) as stream:
            try:
                table = open_table(stream, self.path)
                rows = table.metadata.row_group(self.index)
                held = max(1, _BATCH_BYTES * rows.num_rows // max(1, rows.total_byte_size))
                for batch in table.iter_batches(min(held, max(1, rows.num_rows)), [self.index], self.columns.names):
                    for row in batch.to_pylist():
                        record = self.columns.record(row, f"{self.name}-{row_number:06d}", self.folders, self.path)
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
    searched = _searched(config)
    names = {entry.path: files.name_below(entry.path, searched) for entry in _files(config)}
    return parts_of(names, Columns.of(config), config)


def parts_of(
    paths: Mapping[str, str], columns: Columns, config: Config, by_file: dict[str, str | None] | None = None
) -> list[Part]:
    """Every row group of some files.

    Args:
      paths: name of each file, which its rows' ids start with, by its path.
      columns: what is what.
      config: of the run.
      by_file: split of each file; told by split.globs or by how its name starts where left out.
    """
    if by_file is None:
        by_file = {
            path: None if columns.split else splits.of_file(path, name, config.split) for path, name in paths.items()
        }
    if None in by_file.values():  # Unless every file's name says its split, none does.
        by_file = dict.fromkeys(paths)
    given = frozenset(name for name in by_file.values() if name)
    if columns.split:
        given = frozenset(splits.named(name, path) for path in paths for name in _split_names(path, columns))
    found: list[Part] = []
    for path, name in paths.items():
        folders, split = folders_of(path, config), by_file[path]
        first_row = 0
        for index, rows in enumerate(_row_groups(path, columns)):
            found.append(RowGroup(path, name, index, first_row, rows, columns, folders, split, given, config.split))
            first_row += rows
    return found


def entries(config: Config) -> list[files.Entry]:
    """The Parquet files and the pictures that they name, for digests."""
    tables = _files(config)
    columns = Columns.of(config)
    return [*tables, *(entry for table in tables for entry in files.versions(_named(table.path, columns, config)))]


def _files(config: Config) -> list[files.Entry]:
    return files.matching(_searched(config), (".parquet", ".pq"))


def _searched(config: Config) -> str:
    if not config.source.path:
        raise DataError('source.path is missing; name Parquet files, as in path = "data/*.parquet".')
    return config.locate(config.source.path)


def _named(path: str, columns: Columns, config: Config) -> list[str]:
    """The files that the image and mask columns name; none where they hold the encoded bytes."""
    import pyarrow as pa

    with files.open_to_read(path) as stream:
        table = open_table(stream, path)
        columns.check(table.schema_arrow.names, path)
        found = []
        for name, folder in zip((columns.image, columns.mask), folders_of(path, config), strict=True):
            kind = table.schema_arrow.field(name).type
            if pa.types.is_string(kind) or pa.types.is_large_string(kind):
                found += [located(value, folder) for value in table.read([name])[name].to_pylist() if value]
    return found


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
