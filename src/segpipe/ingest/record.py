"""What a source lists: records that say where one picture is, in parts that a worker reads on its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True, slots=True)
class Record:
    """One picture before anything of it is decoded.

    Attributes:
      id: stable and unique in the data set.
      image: path or URL of the image, or its encoded bytes.
      mask: path or URL of the mask, its encoded bytes, or mask values as uint8 [H, W].
      split: train, eval or test where the source decides; None where the config's hash does.
      group: pictures of one group land in the same split; the id where empty.
      slices: attributes for sliced metrics, as in (("breed", "Abyssinian"),).
    """

    id: str
    image: str | bytes
    mask: str | bytes | np.ndarray
    split: str | None = None
    group: str = ""
    slices: tuple[tuple[str, str], ...] = ()


@runtime_checkable  # Beam asks whether a list of parts is one.
class Part(Protocol):
    """A share of a source that one worker reads from start to end; small and picklable."""

    def records(self) -> Iterator[Record]:
        """Yields the records of this part, always the same ones in the same order."""

    def __len__(self) -> int:
        """How many records there are."""


@dataclass(frozen=True)
class Listed:
    """A part whose records are known from the listing alone."""

    listed: tuple[Record, ...]

    def records(self) -> Iterator[Record]:
        """Yields what was listed."""
        return iter(self.listed)

    def __len__(self) -> int:
        return len(self.listed)


def in_parts(records: Sequence[Record], size: int) -> list[Part]:
    """Cuts a listing into parts of `size` records."""
    return [Listed(tuple(records[start : start + size])) for start in range(0, len(records), size)]
