"""Stores all parts of a source in one file, so that a job's graph stays small for a source of any size.

Dataflow takes no graph above 10 MB, and Beam squeezes what a graph holds by bzip2, twice.
"""

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from segpipe.ingest.record import Part, Record
from segpipe.io import files


@dataclass(frozen=True, slots=True)
class Stored:
    """A part whose records whoever reads them gets out of a file.

    Attributes:
      size: of the part.
      path: path or URL of the file.
      start: the part's first byte in it.
      length: in bytes.
    """

    size: int | None
    path: str
    start: int
    length: int

    def records(self) -> Iterator[Record]:
        """Yields the records of the part."""
        part: Part = pickle.loads(files.read_range(self.path, self.start, self.length))  # noqa: S301 (Our own file.)
        return part.records()


def store(parts: Sequence[Part], path: str) -> list[Stored]:
    """Writes parts into one file; the same parts, in their order, which come out of it.

    Args:
      parts: of a source.
      path: path or URL, which every worker must be able to read.
    """
    stored, start = [], 0
    with files.open_to_write(path) as stream:
        for part in parts:
            content = pickle.dumps(part)
            stream.write(content)
            stored.append(Stored(part.size, path, start, len(content)))
            start += len(content)
    return stored
