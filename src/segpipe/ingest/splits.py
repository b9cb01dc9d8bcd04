"""A record in, its split out: train, eval or test, always the same one however much data is added."""

import hashlib
from collections.abc import Mapping

from segpipe import schema
from segpipe.config import Split
from segpipe.errors import DataError
from segpipe.ingest.record import Record


def assign(record: Record, split: Split) -> str:
    """The split that the source gave the record, or the one that its group's or id's hash falls into."""
    if record.split is not None:
        return record.split
    place = unit_hash(record.group or record.id, split.seed)
    if place < split.train:
        return schema.TRAIN
    return schema.EVAL if place < split.train + split.eval else schema.TEST


def unit_hash(key: str, seed: int) -> float:
    """A number in [0, 1) that depends on nothing but `key` and `seed`."""
    digest = hashlib.sha256(f"{seed}:{key}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def check_counts(counts: Mapping[str, int], split: Split) -> None:
    """Checks that every split has pictures.

    Raises:
      DataError: one is empty; it says what to do.
    """
    empty = [name for name in schema.SPLITS if not counts.get(name)]
    if not empty:
        return
    total = sum(counts.values())
    if total == 0:
        raise DataError("the source has no pictures at all; check source.path and source.images.")
    share = getattr(split, empty[0])
    what = (
        f"split.{empty[0]} is 0; raise it"
        if share == 0
        else f"add pictures, raise split.{empty[0]} (now {share:g}) or change split.seed (now {split.seed})"
    )
    raise DataError(f"split {' and '.join(empty)} would get none of the {total} pictures; {what}.")
