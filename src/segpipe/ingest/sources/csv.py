"""Lists a CSV file with one row per picture."""

import csv
import io
from dataclasses import replace
from pathlib import PurePosixPath

from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest import splits
from segpipe.ingest.record import Part, Record, in_parts
from segpipe.ingest.sources.table import Columns, folders_of, portable
from segpipe.io import files


def parts(config: Config) -> list[Part]:
    """The rows in parts, in an order that mixes rows that lie together."""
    return in_parts(sorted(records(config), key=lambda record: splits.unit_hash(record.id, 0)))


def records(config: Config) -> list[Record]:
    """Every row as a record; paths start at the CSV file's folder, or at `source.images` and `source.masks` in it.

    Raises:
      DataError: the file is missing, is no CSV, or lacks a column.
    """
    found = []
    columns = Columns.of(config)
    for entry in _files(config):
        folders = folders_of(entry.path, config)
        rows = _read(entry.path)
        columns.check(rows.fieldnames or (), entry.path)
        for row in rows:
            for column, folder in zip((columns.image, columns.mask), folders, strict=True):
                row[column] = portable(row[column] or "", folder)
            key = _without_suffix(row[columns.image]) or str(rows.line_num)
            record = columns.record(row, key, folders, f"{entry.path} line {rows.line_num}")
            found.append(_by_glob(record, folders[0], config))
    given = {record.split for record in found if record.split}
    return [splits.complete(record, given, config.split) for record in found]


def entries(config: Config) -> list[files.Entry]:
    """The CSV files and the pictures that they name, for digests."""
    named = [path for record in records(config) for path in (record.image, record.mask) if isinstance(path, str)]
    return [*_files(config), *files.versions(named)]


def _files(config: Config) -> list[files.Entry]:
    if not config.source.path:
        raise DataError('source.path is missing; name the CSV file, as in path = "pictures.csv".')
    return files.matching(config.locate(config.source.path), (".csv", ".tsv"))


def _read(path: str) -> csv.DictReader:
    try:
        text = files.read(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text; save the CSV as UTF-8.") from None
    first_line = text.partition("\n")[0]
    delimiter = max(",;\t", key=first_line.count)
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)


def _without_suffix(path: str) -> str:
    """a/b.jpg as a/b; a dot in a folder or a host is no suffix: https://images.example.com/123 stays whole."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{PurePosixPath(name).stem}"


def _by_glob(record: Record, folder: str, config: Config) -> Record:
    """The record in the split that the image's path tells, as seen from `folder` where the image lies in there."""
    if record.split or not config.split.globs or not isinstance(record.image, str):
        return record
    below = record.image.removeprefix(f"{folder}/").removeprefix("./")
    return replace(record, split=splits.by_glob(below, config.split))
