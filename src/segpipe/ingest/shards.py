"""Writes one part of a source as one TFRecord file per split, and accounts for every record.

`prepare` and the Beam workers of ExampleGen both call `write_part`, in one process or many. Its file names and contents
depend on nothing but the part, so a part that is done twice leaves the same files.
"""

import gzip
import io
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest.bad_picture import MOST_SHOWN, BadPicturesError, Offender, of_record
from segpipe.ingest.encode import Encoded, encode
from segpipe.ingest.picture import BadPictureError
from segpipe.ingest.record import Part, Record
from segpipe.ingest.splits import group_of
from segpipe.io import files, tfrecord
from segpipe.text import count, first_five


@dataclass
class Account:
    """What became of the records of one part, or of many.

    Attributes:
      counts: pictures written, by split.
      bad: one sentence for each record that was not written, by id.
      tiles: what can be seen of some bad ones, by id; see `segpipe.ingest.bad_picture`.
      ids: of every record, to find two with the same.
      broken: one sentence for each part that could not be read to its end.
      groups: the splits of each group, where the config has groups.
      attributes: names of those that any written picture carries for sliced metrics, ascending.
    """

    counts: dict[str, int] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    tiles: dict[str, str] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    attributes: list[str] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Records that the source gave."""
        return len(self.ids)

    @property
    def written(self) -> int:
        """Records that became Examples."""
        return sum(self.counts.values())

    def add(self, other: "Account") -> None:
        """Adds another part's account."""
        for split, written in other.counts.items():
            self.counts[split] = self.counts.get(split, 0) + written
        self.bad.update(other.bad)
        self.tiles.update(islice(other.tiles.items(), max(0, MOST_SHOWN - len(self.tiles))))
        self.ids.extend(other.ids)
        self.broken.extend(other.broken)
        for group, found in other.groups.items():
            self.groups[group] = sorted({*self.groups.get(group, ()), *found})
        self.attributes = sorted({*self.attributes, *other.attributes})

    @property
    def offenders(self) -> list[Offender]:
        """The bad records whose tiles are there."""
        return [Offender(name, self.bad[name], tile) for name, tile in self.tiles.items()]

    def check(self, config: Config) -> None:
        """Checks that nothing was dropped and, unless the config quarantines them, that nothing was bad.

        Raises:
          DataError: a file of the source is damaged, two records have the same id, a group is in two splits, records
            got lost, or there are bad pictures and `source.on_bad_example` is "fail".
        """
        if self.broken:
            raise DataError(" ".join(self.broken[:5]))
        if len(set(self.ids)) < len(self.ids):
            twice = sorted(name for name, times in Counter(self.ids).items() if times > 1)
            raise DataError(f"{count(len(twice), 'id')} occur more than once in the source: {first_five(twice)}.")
        if torn := sorted(group for group, found in self.groups.items() if len(found) > 1):
            raise DataError(
                f"{count(len(torn), 'group')} would be in more than one split: {first_five(torn)}. The data or the "
                "config gives these splits; leave split.column and split.globs out to have groups dealt out whole."
            )
        if self.read != self.written + len(self.bad):
            raise DataError(
                f"{self.read} pictures were read, but {self.written} written and {len(self.bad)} quarantined; "
                "the source changed while it was read. Run it again."
            )
        if self.bad and config.source.on_bad_example == "fail":
            more = f" … and {len(self.bad) - 5} more." if len(self.bad) > 5 else ""
            raise BadPicturesError(
                f"{len(self.bad)} of {count(self.read, 'picture')} cannot be used: "
                f"{' '.join(list(self.bad.values())[:5])}{more} "
                'Mend them, or set source.on_bad_example = "quarantine" to go on without them.',
                self.offenders,
            )


@dataclass(frozen=True)
class Layout:
    """Where the file of each part and split goes.

    Attributes:
      folders: folder or URL by split.
      name: of a file, as in "{split}-{index:05d}-of-{number:05d}.tfrecord".
      number: of parts.
      compress: wrap the files in gzip, as TFX's Examples have it.
    """

    folders: Mapping[str, str]
    name: str
    number: int
    compress: bool = False

    def file(self, split: str, index: int) -> str:
        """Name of one file."""
        return self.name.format(split=split, index=index, number=self.number)

    def path(self, split: str, index: int) -> str:
        """Path or URL of one file."""
        return files.join(self.folders[split], self.file(split, index))


def write_part(part: Part, config: Config, layout: Layout, index: int, threads: int = 1) -> Account:
    """Encodes every record of a part into one file per split; a split without records gets no file.

    Args:
      part: what to read.
      config: of the run.
      layout: where the files go.
      index: number of the part.
      threads: pictures decoded at the same time; Pillow lets go of Python's lock meanwhile.
    """
    account, attributes = Account(), set[str]()
    with ExitStack() as stack:
        streams: dict[str, BinaryIO] = {}
        for record, encoded in _encode_all(_until_broken(part, account), config, threads):
            account.ids.append(record.id)
            if isinstance(encoded, BadPictureError):
                account.bad[record.id] = str(encoded)
                if len(account.tiles) < MOST_SHOWN:
                    account.tiles[record.id] = of_record(record, str(encoded), config).tile
                continue
            if encoded.split not in streams:
                stream = stack.enter_context(files.open_to_write(layout.path(encoded.split, index)))
                streams[encoded.split] = stack.enter_context(_gzip(stream)) if layout.compress else stream
            tfrecord.write(streams[encoded.split], encoded.example)
            account.counts[encoded.split] = account.counts.get(encoded.split, 0) + 1
            attributes.update(name for name, _ in record.slices)
            if group := group_of(record, config.split):
                account.groups[group] = sorted({*account.groups.get(group, ()), encoded.split})
    account.attributes = sorted(attributes)
    if part.size not in (None, account.read) and not account.broken:
        account.broken.append(f"{account.read} of the {part.size} pictures of one part of the source were there.")
    return account


def _until_broken(part: Part, account: Account) -> Iterator[Record]:
    """The part's records up to the point where its file is damaged."""
    try:
        yield from part.records()
    except DataError as error:
        account.broken.append(str(error))


def _encode_all(
    records: Iterable[Record], config: Config, threads: int
) -> Iterator[tuple[Record, Encoded | BadPictureError]]:
    """Encodes in order; at most four pictures per thread are held at a time."""
    if threads <= 1:
        for record in records:
            yield record, _encode(record, config)
        return
    waiting: deque[tuple[Record, Future[Encoded | BadPictureError]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for record in records:
            waiting.append((record, pool.submit(_encode, record, config)))
            if len(waiting) >= 4 * threads:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def _encode(record: Record, config: Config) -> Encoded | BadPictureError:
    if record.problem:
        return BadPictureError(record.problem)
    try:
        return encode(record, config)
    except BadPictureError as error:
        return error


def _gzip(stream: BinaryIO) -> BinaryIO:
    """A gzip file that stores instead of squeezing: JPEG and PNG do not shrink, and trying costs most of the time."""
    stored = gzip.GzipFile(filename="", mode="wb", compresslevel=0, fileobj=stream, mtime=0)
    return io.BufferedWriter(stored, 1 << 20)
