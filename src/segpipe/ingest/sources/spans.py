"""Resolves {SPAN} in a path to one config per span: rolling data comes as new spans."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest.record import Part, Record
from segpipe.io import files

_SPAN = re.compile(r"\{SPAN(?::(?P<width>[1-9]))?\}")
"""As in TFX: {SPAN}, or {SPAN:3} for numbers of three digits."""


@dataclass(frozen=True)
class InSpan:
    """A part of one span; its ids start with the span's number, since each span may number its pictures anew."""

    part: Part
    span: int

    @property
    def size(self) -> int | None:
        """Number of records, where known."""
        return self.part.size

    def records(self) -> Iterator[Record]:
        """Yields the part's records with the span in their ids."""
        for record in self.part.records():
            yield replace(record, id=f"{self.span}/{record.id}")


def resolve(config: Config) -> list[tuple[int | None, Config]]:
    """The spans to read, oldest first, each with the config that reads it; None where the path has no {SPAN}.

    Raises:
      DataError: the path has {SPAN} but nothing there has a number in its place.
    """
    path = config.source.path
    if not (marker := _SPAN.search(path)):
        return [(None, config)]
    whole = path if files.is_url(path) else str(config.resolve(path))
    found = _numbers(whole)
    if not found:
        raise DataError(f"nothing matches {whole} with a number for {marker[0]}; no span has come yet.")
    newest = sorted(found)[-config.source.spans :]
    return [(number, _with_path(config, whole.replace(marker[0], found[number]))) for number in newest]


def _numbers(path: str) -> dict[int, str]:
    """Number → its text, of everything whose name matches the first part of the path that has {SPAN}."""
    marker = _SPAN.search(path)
    if marker is None:
        return {}
    start, end = path.rfind("/", 0, marker.start()) + 1, path.find("/", marker.end())
    name = path[start : end if end >= 0 else len(path)]
    digits = f"[0-9]{{{marker['width']}}}" if marker["width"] else "[0-9]+"
    before, after = name.split(marker[0], 1)
    pattern = re.compile(f"{_glob(before)}({digits}){_glob(after)}")
    names = (entry.rstrip("/").rsplit("/", 1)[-1] for entry in files.names_in(path[:start]))
    return {int(match[1]): match[1] for match in map(pattern.fullmatch, names) if match}


def _glob(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _with_path(config: Config, path: str) -> Config:
    return config.model_copy(update={"source": config.source.model_copy(update={"path": path, "spans": 0})})
