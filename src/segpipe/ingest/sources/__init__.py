"""Lists the parts of a config's source, whatever its kind; the kinds are those of `segpipe.config.source.KINDS`."""

from importlib import import_module
from types import ModuleType

from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest.record import Listed, Part, Record, in_parts
from segpipe.ingest.sources import spans
from segpipe.ingest.splits import assign, check_counts, fill
from segpipe.io import files
from segpipe.text import first_five


def parts(config: Config) -> list[Part]:
    """Lists the source and cuts it up; the same data always gives the same parts.

    Raises:
      DataError: the source is missing or inconsistent, two pictures have one id, or a split would be empty.
    """
    found: list[Part] = []
    for span, of_span in spans.resolve(config):
        of_kind = _module(config).parts(of_span)
        found += of_kind if span is None else [spans.InSpan(part, span) for part in of_kind]
    if all(isinstance(part, Listed) for part in found):
        records = fill([record for part in found for record in part.records()], config.split)
        _check(records, config)
        return in_parts(records)
    return found


def digest(config: Config) -> str:
    """Digest of the source's state without reading its pictures: it changes when a file does.

    Raises:
      DataError: the source is missing.
    """
    entries: list[files.Entry] = []
    for _, of_span in spans.resolve(config):
        entries += _module(config).entries(of_span)
    return files.digest(entries)


def latest_span(config: Config) -> int:
    """The number of the newest span, 0 where the source has none; TFX keeps it with the Examples."""
    return spans.resolve(config)[-1][0] or 0


def _check(records: list[Record], config: Config) -> None:
    counts: dict[str, int] = {}
    ids: set[str] = set()
    twice: list[str] = []
    for record in records:
        split = assign(record, config.split)
        counts[split] = counts.get(split, 0) + 1
        if record.id in ids:
            twice.append(record.id)
        ids.add(record.id)
    if twice:
        raise DataError(f"ids occur more than once in the source: {first_five(twice)}; make them unique.")
    check_counts(counts, config.split)


def _module(config: Config) -> ModuleType:
    """The module that reads the config's kind of source; it has `parts(config)` and `entries(config)`.

    Large libraries are imported by the functions that need them.
    """
    return import_module(f"{__name__}.{config.source.kind}")
