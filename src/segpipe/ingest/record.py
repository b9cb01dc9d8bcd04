"""What a source lists: records that say where one picture is, in parts that a worker reads on its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, slots=True)
class Record:
    """One picture before anything of it is decoded.

    Attributes:
      id: stable and unique in the data set.
      image: path or URL of the image, or its encoded bytes.
      mask: path or URL of the mask, its encoded bytes, or mask values as uint8 [H, W].
      split: train, eval or test where the data decides; None where the hash of the config does.
      group: pictures of one group land in the same split; the id where empty.
      slices: attributes for sliced metrics, as in (("breed", "Abyssinian"),).
      ignored: mask values that the source's own format ignores, beside those of the config.
      problem: one sentence why the source cannot give the picture's mask; it then counts as a bad one.
      holds_values: the encoded mask holds values though the config may name colours; an array always does.
    """

    id: str
    image: str | bytes
    mask: str | bytes | np.ndarray
    split: str | None = None
    group: str = ""
    slices: tuple[tuple[str, str], ...] = ()
    ignored: tuple[int, ...] = ()
    problem: str = ""
    holds_values: bool = False


class Part(Protocol):
    """A share of a source that one worker reads from start to end; small and picklable."""

    @property
    def size(self) -> int | None:
        """How many records there are, where that is known without reading them."""

    def records(self) -> Iterator[Record]:
        """Yields the records of this part, always the same ones in the same order.

        Raises:
          DataError: the file that holds them is damaged.
        """


@dataclass(frozen=True)
class Listed:
    """A part whose records are known from the listing alone."""

    listed: tuple[Record, ...]

    @property
    def size(self) -> int:
        """Number of records."""
        return len(self.listed)

    def records(self) -> Iterator[Record]:
        """Yields what was listed."""
        return iter(self.listed)


_SMALLEST_PART, _LARGEST_PART = 32, 256


def part_size(total: int) -> int:
    """Records per part. A worker takes one part at a time and writes one file per split for it.

    16 parts keep every core of a laptop busy to the end; larger sets are cut finer, so that no file gets large.
    """
    return min(max(total // 16, _SMALLEST_PART), _LARGEST_PART)


def in_parts(records: Sequence[Record]) -> list[Part]:
    """Cuts a listing into parts."""
    size = part_size(len(records))
    return [Listed(tuple(records[start : start + size])) for start in range(0, len(records), size)]
