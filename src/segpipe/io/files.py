"""Reads, writes and lists files by path or URL: local disk, gs:// and whatever else fsspec knows."""

import errno
import hashlib
import io
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from segpipe.errors import DataError
from segpipe.io import atomic

_MOVERS = 16


def is_url(path: str) -> bool:
    """Whether `path` names a file system of its own, as in gs://bucket/folder."""
    return "://" in path


def join(folder: str, name: str) -> str:
    """`name`, which may start with `..`, under `folder`; both local or both remote. An object store knows no `..`."""
    folder = folder.rstrip("/")
    while name == ".." or name.startswith("../"):
        folder, name = folder.rpartition("/")[0], name[3:]
    return f"{folder}/{name}" if name not in ("", ".") else folder


def shown(path: str) -> str:
    """How messages call a file: a web address without its query, which may be a signature that opens it."""
    return path.partition("?")[0] if path.startswith(("http://", "https://")) else path


def read(path: str) -> bytes:
    """All bytes of one file.

    Raises:
      OSError: it is gone or may not be read; also where a web server answers anything but the file.
    """
    if not is_url(path):
        with io.FileIO(path) as stream:  # Path and a buffer cost as much again as reading a small picture.
            return stream.readall()
    try:
        return bytes(_filesystem(path).cat_file(path))
    except Exception as error:
        import aiohttp

        if isinstance(error, OSError) or not isinstance(error, aiohttp.ClientError):
            raise
        why = type(error).__name__  # Its own text holds the whole address.
        if isinstance(error, aiohttp.ClientResponseError):
            why = f"the server answers {error.status} {error.message}"
        raise OSError(errno.EIO, why) from None


def read_range(path: str, start: int, length: int) -> bytes:
    """The `length` bytes of one file from `start` on, counted from 0.

    Raises:
      OSError: it is gone or may not be read.
    """
    if not is_url(path):
        with io.FileIO(path) as stream:
            stream.seek(start)
            return stream.read(length)
    return bytes(_filesystem(path).cat_file(path, start=start, end=start + length))


def is_folder(path: str) -> bool:
    """Whether there is a folder `path`; on an object store, whether anything lies under it."""
    return bool(_filesystem(path).isdir(path)) if is_url(path) else Path(path).is_dir()


def exists(path: str) -> bool:
    """Whether there is a file or folder `path`."""
    return bool(_filesystem(path).exists(path)) if is_url(path) else Path(path).exists()


def open_to_read(path: str) -> IO[bytes]:
    """The file as a binary stream."""
    if not is_url(path):
        return Path(path).open("rb")
    return _filesystem(path).open(path, "rb")


@contextmanager
def open_to_write(path: str) -> Iterator[BinaryIO]:
    """A binary stream to a new file that appears whole, under its own name, when the block ends without an error."""
    if is_url(path):
        stream = _filesystem(path).open(path, "wb")
        try:
            yield stream
        except BaseException:
            _drop(stream, path)
            raise
        stream.close()  # Only now does an object store show it.
        return
    with atomic.write(Path(path), durable=False) as stream:
        yield stream


def _drop(stream: Any, path: str) -> None:
    """Ends a write of which nothing shall stay."""
    from fsspec.spec import AbstractBufferedFile

    if isinstance(stream, AbstractBufferedFile):
        with suppress(Exception):  # The error to tell is on its way; a store forgets an upload that never ends.
            stream.discard()
        stream.closed = True  # Else it would finish the upload as it is garbage-collected.
    else:
        stream.close()
        remove(path)


_VERSION_KEYS = ("etag", "md5Hash", "ETag", "blob_id", "mtime", "updated")
"""What the stores that fsspec knows call the thing that changes with the content; the first one that is there."""


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

    A link to what is not there, as git-annex and DVC leave, has the version "".

    Raises:
      DataError: there is no such folder.
    """
    entries = _remote(folder) if is_url(folder) else map(_scanned, _local(folder))
    return sorted(entries, key=lambda entry: entry.path)


def paths_under(folder: str) -> list[str]:
    """The paths of `listing`, without a look at each local file.

    Raises:
      DataError: there is no such folder.
    """
    return sorted(one.path for one in (_remote(folder) if is_url(folder) else _local(folder)))


def entry(path: str) -> Entry:
    """One file as an entry.

    Raises:
      DataError: there is no such file.
    """
    if is_url(path):
        filesystem = _fresh(path)
        try:
            return _remote_entry(filesystem, filesystem.info(path))
        except FileNotFoundError:
            raise DataError(f"there is no file {shown(path)}.") from None
    if not Path(path).is_file():
        raise DataError(f"there is no file {path}.")
    return _local_entry(Path(path))


def is_glob(path: str) -> bool:
    """Whether `path` stands for what it matches; a local file or folder that is called so stands for itself."""
    return any(sign in path for sign in "*?[") and (is_url(path) or not Path(path).exists())


def matching(path: str, suffixes: Collection[str]) -> list[Entry]:
    """The file `path`, the files that it matches as a glob, or those in the folder `path` with one of the suffixes.

    Raises:
      DataError: there are none.
    """
    if is_glob(path):
        found = _glob(path)
    elif is_folder(path):
        found = [one for one in listing(path) if one.path.lower().endswith(tuple(suffixes))]
    else:
        return [entry(path)]
    if not found:
        raise DataError(f"nothing matches {shown(path)} ({', '.join(sorted(suffixes))}).")
    return sorted(found, key=lambda one: one.path)


def versions(paths: Iterable[str]) -> list[Entry]:
    """Each of the files that a table names, in order; one that is not there has the version "".

    A remote folder is listed once, however many of its files are named. A web server lists nothing: its files have the
    version "", too.
    """
    wanted = list(dict.fromkeys(paths))
    listed: dict[str, Entry] = {}
    for folder in sorted({path.rpartition("/")[0] for path in wanted if is_url(path)}):
        listed |= {entry.path: entry for entry in _in_remote_folder(folder)}
    return [_local_version(path) if not is_url(path) else listed.get(path, Entry(path, "")) for path in wanted]


def name_below(path: str, searched: str) -> str:
    """What tells a file from the others that `matching` found: its path under `searched`, without its suffix.

    Args:
      path: of the file.
      searched: the folder, file or glob that was searched.
    """
    folder = searched.rstrip("/")
    if not path.startswith(f"{folder}/"):
        folder = re.split(r"[*?\[]", searched, maxsplit=1)[0].rpartition("/")[0]
    below = path[len(folder) :].lstrip("/").removesuffix(".gz")
    return str(PurePosixPath(below).with_suffix(""))


def size_bytes(folder: str) -> int:
    """The size of all files under `folder`, hidden ones too."""
    if is_url(folder):
        return int(_fresh(folder).du(folder))
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def names_in(folder: str) -> list[str]:
    """Paths of the files and folders right in `folder`; none where it does not exist."""
    if is_url(folder):
        try:
            return [str(name) for name in _fresh(folder).ls(folder, detail=False)]
        except FileNotFoundError:
            return []
    return [str(path) for path in Path(folder).iterdir()] if Path(folder).is_dir() else []


def remove(path: str) -> None:
    """Removes one file."""
    if is_url(path):
        _filesystem(path).rm_file(path)
    else:
        Path(path).unlink()


def remove_folder(folder: str) -> None:
    """Removes a folder and all that lies in it, hidden files too; nothing where there is none."""
    if not is_url(folder):
        shutil.rmtree(folder, ignore_errors=True)
    elif is_folder(folder):
        for path in _fresh(folder).find(folder):
            _filesystem(folder).rm_file(path)


def move(folder: str, names: Iterable[str], target: str) -> None:
    """Moves files of one folder to another of the same file system, in any order.

    An object store copies each, without its bytes coming here, and forgets the old one: a round trip or two for each,
    so many are on their way at one time.
    """

    def moved(name: str) -> None:
        old, new = join(folder, name), join(target, name)
        if is_url(old):
            filesystem = _filesystem(old)
            filesystem.cp_file(old, new)  # Not mv, which asks what the target is and takes the name for a glob.
            filesystem.rm_file(old)
        else:
            Path(old).replace(new)

    with ThreadPoolExecutor(_MOVERS) as pool:
        list(pool.map(moved, names))


def digest(entries: list[Entry]) -> str:
    """Digest of names and versions: changes when a file is added, removed or rewritten."""
    state = hashlib.sha256()
    for entry in entries:
        state.update(f"{entry.path}\0{entry.version}\n".encode("utf-8", "surrogateescape"))
    return state.hexdigest()


def _local(folder: str) -> Iterator[os.DirEntry[str]]:
    if not Path(folder).is_dir():
        raise DataError(f"there is no folder {folder}.")
    pending = [folder]
    while pending:
        with os.scandir(pending.pop()) as found:
            for one in found:
                if one.name.startswith("."):
                    continue
                if _leads_to_folder(one):
                    pending.append(one.path)
                else:
                    yield one


def _leads_to_folder(one: os.DirEntry[str]) -> bool:
    try:
        return one.is_dir()
    except OSError:  # A link to itself.
        return False


def _remote(folder: str) -> Iterator[Entry]:
    filesystem = _fresh(folder)
    found: dict[str, dict[str, Any]] = filesystem.find(folder, detail=True)
    if not found:
        raise DataError(f"there is nothing under {folder}.")
    root = _root(folder).rstrip("/")
    for path, info in found.items():
        relative = path.removeprefix(root)
        if info["type"] == "file" and not relative.endswith("/") and "/." not in relative:
            yield _remote_entry(filesystem, info)


def _local_entry(path: Path) -> Entry:
    return Entry(str(path), _version(path.stat()))


def _scanned(one: os.DirEntry[str]) -> Entry:
    try:
        return Entry(one.path, _version(one.stat()))
    except OSError:
        return Entry(one.path, "")


def _version(stat: os.stat_result) -> str:
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _local_version(path: str) -> Entry:
    try:
        return Entry(path, _version(os.stat(path)))  # noqa: PTH116 (A Path for each file of a large table takes longer.)
    except OSError:
        return Entry(path, "")


def _in_remote_folder(folder: str) -> list[Entry]:
    """The files right in a folder; none where it cannot be listed."""
    if folder.startswith(("http://", "https://")):
        return []
    filesystem = _fresh(folder)
    try:
        return [_remote_entry(filesystem, info) for info in filesystem.ls(folder, detail=True)]
    except OSError:
        return []


def _remote_entry(filesystem: Any, info: dict[str, Any]) -> Entry:
    version = next((info[key] for key in _VERSION_KEYS if info.get(key)), "")
    return Entry(str(filesystem.unstrip_protocol(info["name"])), f"{info['size']} {version}")


def _glob(pattern: str) -> list[Entry]:
    if is_url(pattern):
        filesystem = _fresh(pattern)
        try:
            found = filesystem.glob(pattern, detail=True)
        except FileNotFoundError:
            return []
        return [_remote_entry(filesystem, info) for info in found.values() if info["type"] == "file"]
    literal = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    parent = Path(literal.rpartition("/")[0] or ("/" if literal.startswith("/") else "."))
    paths = parent.glob(str(Path(pattern).relative_to(parent)))
    return [_local_entry(path) for path in paths if path.is_file() and not path.name.startswith(".")]


def _root(folder: str) -> str:
    """How the file system itself calls a folder."""
    import fsspec

    return str(fsspec.core.url_to_fs(folder)[1])


def _fresh(path: str) -> Any:
    """The file system, which remembers no listing: a file that was written since the last look counts."""
    filesystem = _filesystem(path)
    filesystem.invalidate_cache()
    return filesystem


def _filesystem(path: str) -> Any:
    import fsspec

    return fsspec.core.url_to_fs(path)[0]
