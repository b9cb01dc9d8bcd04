"""A config in, a folder of sharded TFRecord out that appears whole or not at all, written by all cores."""

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from segpipe import progress, schema
from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest import files, sources
from segpipe.ingest.digest import check_unchanged, source_digest
from segpipe.ingest.pool import write_parts
from segpipe.ingest.record import Part
from segpipe.ingest.shards import Account, Layout
from segpipe.ingest.splits import check_counts
from segpipe.ingest.wording import first_five

MANIFEST = "prepared.json"
"""Written last: a folder that has it is complete."""

QUARANTINE = "quarantined.json"

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
      out_dir: local folder or URL; what an earlier call left there is replaced, in a local folder at the very end.
      workers: processes; one per core when left out.

    Raises:
      DataError: the source is missing, inconsistent or changes meanwhile, a split is empty, or pictures are bad and
        `source.on_bad_example` is "fail".
    """
    out = str(out_dir)
    digest = source_digest(config)
    if (done := _finished(out, digest)) is not None:
        return done
    parts = sources.parts(config)
    aside = out if files.is_url(out) else f"{out.rstrip('/')}.partial"
    _ours(out)
    _clear(aside)
    try:
        prepared = _write_checked(parts, config, digest, aside, out, workers or os.cpu_count() or 1)
    except BaseException:
        if aside != out:
            shutil.rmtree(aside, ignore_errors=True)  # What a killed call leaves there, the next one clears.
        raise
    if aside != out:
        _clear(out)  # Not before: the earlier shards stay where there are no new ones.
        Path(aside).rename(out)
    return prepared


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
    """Paths of what an earlier call left in `folder`.

    Raises:
      DataError: something else lies there.
    """
    found = files.paths_under(folder) if files.is_folder(folder) else []
    if others := [path for path in found if not _OURS.fullmatch(path.rsplit("/", 1)[-1])]:
        raise DataError(f"{folder} holds other files ({first_five(others)}); name a new folder for the shards.")
    return found


def _clear(folder: str) -> None:
    """Removes what an earlier call left in `folder`.

    Raises:
      DataError: something else lies there.
    """
    for path in _ours(folder):
        files.remove(path)
    if not files.is_url(folder) and Path(folder).is_dir():
        shutil.rmtree(folder)
