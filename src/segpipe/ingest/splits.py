"""Assigns each record to train, eval or test, always the same one however much data is added."""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from segpipe import schema
from segpipe.config.source import Split
from segpipe.errors import DataError
from segpipe.ingest.record import Record
from segpipe.text import count

_NAMES = {
    schema.TRAIN: ("train", "training"),
    schema.EVAL: ("eval", "evaluation", "val", "valid", "validation", "dev"),
    schema.TEST: ("test", "testing"),
}
"""What data sets call the three splits."""


def assign(record: Record, split: Split) -> str:
    """The split that the data gave the record, or the one that its group's or id's hash falls into."""
    if record.split is not None:
        return record.split
    place = unit_hash(group_of(record, split) or record.id, split.seed)
    if place < split.train:
        return schema.TRAIN
    return schema.EVAL if place < split.train + split.eval else schema.TEST


def fill(records: Sequence[Record], split: Split) -> list[Record]:
    """Gives every split of a small data set a picture, if the hash leaves one empty.

    The groups are then dealt by the order of their hashes instead of by the hashes themselves. Once there are enough
    pictures that no split is empty, the hash alone decides again.

    Args:
      records: the whole data set.
      split: of the config.

    Returns:
      The records, each with its split; as they were if no split is empty, the data itself names splits, or there are
      fewer groups than splits.
    """
    shares = {name: getattr(split, name) for name in schema.SPLITS if getattr(split, name) > 0}
    if any(record.split for record in records) or shares.keys() <= {assign(record, split) for record in records}:
        return list(records)
    keys = [group_of(record, split) or record.id for record in records]
    ranked = sorted(set(keys), key=lambda key: unit_hash(key, split.seed))
    if len(ranked) < len(shares):
        return list(records)
    split_of: dict[str, str] = {}
    names, rest = list(shares), list(ranked)
    for earlier, name in reversed(list(enumerate(names))):  # From the highest hash down, as the hash itself deals.
        number = min(max(1, round(shares[name] * len(ranked))), len(rest) - earlier) if earlier else len(rest)
        split_of |= dict.fromkeys(rest[-number:], name)
        del rest[-number:]
    return [replace(record, split=split_of[key]) for record, key in zip(records, keys, strict=True)]


def complete(record: Record, given: Collection[str], split: Split) -> Record:
    """Deals some of train's records to the splits that the data does not have.

    Oxford-IIIT Pet has train and test: eval is then carved out of train, with its share of the config, by the hash.

    Args:
      record: with the split that the data gave it, or None.
      given: the splits that the data has.
      split: of the config.
    """
    if record.split != schema.TRAIN:
        return record
    place = unit_hash(group_of(record, split) or record.id, split.seed)
    for name in (schema.EVAL, schema.TEST):
        if name not in given:
            if place < getattr(split, name):
                return replace(record, split=name)
            place -= getattr(split, name)
    return record


def named(name: str, where: str) -> str:
    """Our name for the split that a data set calls `name`.

    Raises:
      DataError: it is none of the usual names.
    """
    if found := usual_name(name):
        return found
    known = ", ".join(alias for aliases in _NAMES.values() for alias in aliases)
    raise DataError(f"{where} names a split {name!r}; known names are {known}.")


def usual_name(name: str) -> str | None:
    """Our name for the split, or None where `name` is no split's."""
    return next((split for split, aliases in _NAMES.items() if name.strip().lower() in aliases), None)


def by_glob(path: str, split: Split) -> str:
    """The split whose pattern in `split.globs` matches a path under the source's folder, or its last part.

    Raises:
      DataError: none does.
    """
    for name, pattern in split.globs.items():
        if fnmatchcase(path, pattern) or fnmatchcase(PurePosixPath(path).name, pattern):
            return name
    raise DataError(f"{path} matches none of split.globs ({', '.join(split.globs.values())}); extend one of them.")


def of_file(path: str, name: str, split: Split) -> str | None:
    """The split of a whole file of many pictures: by `split.globs`, or by how its name starts, as in val-00-100.tfrec.

    Args:
      path: of the file.
      name: its path under what was searched, without its suffix; globs see that much of the path.
      split: of the config.

    Raises:
      DataError: there are globs and none matches.
    """
    if split.globs:
        return by_glob("/".join(path.split("/")[-1 - name.count("/") :]), split)
    return usual_name(re.split(r"[-_.]", PurePosixPath(path).name)[0])


def group_of(record: Record, split: Split) -> str:
    """The group that has to stay in one split; "" where the record is a group of its own.

    Raises:
      DataError: the id does not match `split.group_regex`.
    """
    if not split.group_regex:
        return record.group
    if not (match := re.search(split.group_regex, record.id)):
        raise DataError(f"the id {record.id} does not match split.group_regex {split.group_regex!r}.")
    return match[1] or ""


def unit_hash(key: str, seed: int) -> float:
    """A number in [0, 1) that depends on nothing but `key` and `seed`."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
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
        raise DataError("the source has no pictures at all; check the [source] section.")
    share = getattr(split, empty[0])
    what = (
        f"split.{empty[0]} is 0; raise it"
        if share == 0
        else f"add pictures, raise split.{empty[0]} (now {share:g}) or change split.seed (now {split.seed})"
    )
    if total < len(schema.SPLITS):
        what = "add pictures, at least one for each split"
    raise DataError(f"split {' and '.join(empty)} would get none of the {count(total, 'picture')}; {what}.")
