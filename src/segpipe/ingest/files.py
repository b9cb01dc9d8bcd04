"""A path or URL in, its bytes or listing out: local disk, gs:// and whatever else fsspec knows, alike."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from segpipe.errors import DataError


def is_url(path: str) -> bool:
    """Whether `path` names a file system of its own, as in gs://bucket/folder."""
    return "://" in path


def join(folder: str, name: str) -> str:
    """`name` under `folder`, both local or both remote."""
    return f"{folder.rstrip('/')}/{name}" if name not in ("", ".") else folder


def read(path: str) -> bytes:
    """All bytes of one file.

    Raises:
      OSError: it is gone or may not be read.
    """
    if not is_url(path):
        return Path(path).read_bytes()
    return bytes(_filesystem(path).cat_file(path))


def is_folder(path: str) -> bool:
    """Whether there is a folder `path`; on an object store, whether anything lies under it."""
    return bool(_filesystem(path).isdir(path)) if is_url(path) else Path(path).is_dir()


def open_to_read(path: str) -> IO[bytes]:
    """The file as a binary stream."""
    if not is_url(path):
        return Path(path).open("rb")
    return _filesystem(path).open(path, "rb")


@contextmanager
def open_to_write(path: str) -> Iterator[BinaryIO]:
    """A binary stream to a new file that appears whole, under its own name, when the block ends without an error."""
    if is_url(path):  # An object store shows an object when it is closed.
        with _filesystem(path).open(path, "wb") as stream:
            yield stream
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with aside.open("wb", buffering=1 << 20) as stream:
            yield stream
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a listing.

    Attributes:
      path: local path or URL.
      version: size and change time, or the store's checksum: another one means another content.
    """

    path: str
    version: str


def listing(folder: str) -> list[Entry]:
    """Every file under `folder`, nested ones too, hidden ones not, sorted by path.

    Raises:
      DataError: there is no such folder.
    """
    entries = _remote(folder) if is_url(folder) else _local(Path(folder))
    return sorted(entries, key=lambda entry: entry.path)


def remove(path: str) -> None:
    """Removes one file."""
    if is_url(path):
        _filesystem(path).rm_file(path)
    else:
        Path(path).unlink()


def digest(entries: list[Entry]) -> str:
    """Digest of names and versions: changes when a file is added, removed or rewritten."""
    state = hashlib.sha256()
    for entry in entries:
        state.update(f"{entry.path}\0{entry.version}\n".encode("utf-8", "surrogateescape"))
    return state.hexdigest()


def _local(folder: Path) -> Iterator[Entry]:
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}.")
    pending = [folder]
    while pending:
        for path in pending.pop().iterdir():
            if path.name.startswith("."):
                continue
            if path.is_dir():
                pending.append(path)
            else:
                stat = path.stat()
                yield Entry(str(path), f"{stat.st_size} {stat.st_mtime_ns}")


def _remote(folder: str) -> Iterator[Entry]:
    filesystem = _filesystem(folder)
    found: dict[str, dict[str, Any]] = filesystem.find(folder, detail=True)
    if not found:
        raise DataError(f"there is nothing under {folder}.")
    for path, info in found.items():
        relative = path.rsplit("/", 1)[-1]
        if info["type"] == "file" and relative and not relative.startswith("."):
            version = info.get("etag") or info.get("md5Hash") or info.get("mtime") or info.get("updated") or ""
            yield Entry(filesystem.unstrip_protocol(path), f"{info['size']} {version}")


def _filesystem(path: str) -> Any:
    import fsspec

    return fsspec.core.url_to_fs(path)[0]
