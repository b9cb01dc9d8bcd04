"""Writes a source as a folder of sharded TFRecord, using all cores; the folder appears whole or not at all."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from segpipe import progress, schema
from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest import sources
from segpipe.ingest.pool import write_parts
from segpipe.ingest.record import Part
from segpipe.ingest.shards import Account, Layout
from segpipe.ingest.source_digest import check_unchanged, source_digest
from segpipe.ingest.splits import check_counts
from segpipe.io import files
from segpipe.text import first_five

MANIFEST = "prepared.json"
"""Written last: a folder that has it is complete."""

QUARANTINE = "quarantined.json"

_ASIDE = ".partial"
"""Folder in the target in which a call writes; what a killed one leaves there, the next one clears."""

_SHARD = "{split}-{index:05d}-of-{number:05d}.tfrecord"

_OURS = re.compile(rf"({'|'.join(schema.SPLITS)})-\d{{5}}-of-\d{{5}}\.tfrecord|{MANIFEST}|{QUARANTINE}")


@dataclass(frozen=True)
class Prepared:
    """What `prepare` left behind.

    Attributes:
      folder: path or URL.
      counts: pictures by split.
      quarantined: one sentence for each picture left out, by id.
      files: names of the shards in the folder.
      digest: of the source and the config keys that it was made from.
      reused: an earlier call had made it from the same data.
    """

    folder: str
    counts: dict[str, int]
    quarantined: dict[str, str]
    files: tuple[str, ...]
    digest: str
    reused: bool = False


def prepare(config: Config, out_dir: str | Path, workers: int | None = None) -> Prepared:
    """Writes every picture of the source as Example into `<split>-00000-of-00004.tfrecord` under `out_dir`.

    A folder made from the same data and config is left as it is. Bad pictures are listed in quarantined.json.

    Args:
      config: of the run.
      out_dir: local folder or URL; what an earlier call left there is replaced at the very end.
      workers: processes; one per core when left out.

    Raises:
      DataError: the source is missing, inconsistent or changes meanwhile, a split is empty, or pictures are bad and
        `source.on_bad_example` is "fail".
    """
    out = str(out_dir) if files.is_url(str(out_dir)) else str(Path(out_dir))
    digest = source_digest(config)
    if (done := _finished(out, digest)) is not None:
        return done
    parts = sources.parts(config)
    earlier = _ours(out)
    workers = workers or os.cpu_count() or 1
    with _aside(out) as aside:
        prepared = _write_checked(parts, config, digest, aside, out, workers)
        _remove(earlier)  # Not before: the earlier shards stay where there are no new ones.
        files.move(aside, (*prepared.files, QUARANTINE), out)
        files.move(aside, [MANIFEST], out)
    return prepared


@contextmanager
def _aside(folder: str) -> Iterator[str]:
    """A hidden folder in `folder`, so in the same place; gone at the end, and `folder` too where it was made for it.

    Raises:
      DataError: something else lies there.
    """
    made, aside = not files.exists(folder), files.join(folder, _ASIDE)
    if files.is_folder(aside):
        _ours(aside)
        files.remove_folder(aside)
    try:
        yield aside
    finally:
        with suppress(Exception):  # An error to tell may be on its way; the next call tries again.
            files.remove_folder(aside)
        if made and not files.is_url(folder) and Path(folder).is_dir() and not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def _write_checked(parts: list[Part], config: Config, digest: str, aside: str, out: str, workers: int) -> Prepared:
    account, shards = _write(parts, config, aside, workers)
    check_unchanged(config, digest)
    account.check(config)
    check_counts(account.counts, config.split)
    prepared = Prepared(out, account.counts, account.bad, tuple(shards), digest)
    _write_json(files.join(aside, QUARANTINE), account.bad)
    _write_json(files.join(aside, MANIFEST), asdict(prepared))
    return prepared


def _write(parts: list[Part], config: Config, folder: str, workers: int) -> tuple[Account, list[str]]:
    total, account, shards = _total(parts), Account(), []
    layout = Layout(dict.fromkeys(schema.SPLITS, folder), _SHARD, len(parts))
    for index, one in write_parts(list(enumerate(parts)), config, layout, workers):
        account.add(one)
        shards += [layout.file(split, index) for split in schema.SPLITS if one.counts.get(split)]
        progress.report("pictures", account.read, total, quarantined=len(account.bad))
    return account, sorted(shards)


def _total(parts: list[Part]) -> int | None:
    sizes = [part.size for part in parts]
    return None if None in sizes else sum(size or 0 for size in sizes)


def _finished(out: str, digest: str) -> Prepared | None:
    """The earlier result in `out`, if it was made from the same data."""
    try:
        manifest = json.loads(files.read(files.join(out, MANIFEST)))
    except (OSError, ValueError):
        return None
    if not isinstance(manifest, dict) or manifest.get("digest") != digest:
        return None
    return Prepared(**{**manifest, "files": tuple(manifest["files"]), "folder": out, "reused": True})


def _write_json(path: str, value: object) -> None:
    with files.open_to_write(path) as stream:
        stream.write((json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape"))


def _ours(folder: str) -> list[str]:
    """Paths of what an earlier call left right in `folder`.

    Raises:
      DataError: something else lies there, a folder's files as well; hidden ones, as of Git, are left alone.
    """
    found = files.paths_under(folder) if files.is_folder(folder) else []
    deep = _depth(folder) + 1
    others = [path for path in found if not _OURS.fullmatch(path.rsplit("/", 1)[-1]) or _depth(path) != deep]
    if others:
        raise DataError(f"{folder} holds other files ({first_five(others)}); name a new folder for the shards.")
    return found


def _depth(path: str) -> int:
    """Slashes in a path or URL. A store may call a folder by another address than was asked for, but as deep."""
    return path.rpartition("://")[2].strip("/").count("/")


def _remove(paths: list[str]) -> None:
    """Removes files, the manifest first: a folder that has it must be complete at all times."""
    for path in sorted(paths, key=lambda path: not path.endswith(f"/{MANIFEST}")):
        files.remove(path)
