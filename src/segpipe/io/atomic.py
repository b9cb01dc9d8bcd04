"""Writes files and folders whole or not at all: aside under a name of their own, flushed to disk, then renamed."""

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import psutil

_SUFFIX = ".partial"
_RANDOM_DIGITS = 8


def aside_name(path: Path) -> Path:
    """Where this process writes `path` until it is whole; no other writer has the name.

    It starts with a dot and is no number, so that a server that polls the folder for versions never takes it for one.
    """
    return path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:_RANDOM_DIGITS]}{_SUFFIX}")


@contextmanager
def write(path: Path, durable: bool = True) -> Iterator[BinaryIO]:
    """A binary stream to a file that appears under its own name when the block ends without an error.

    A reader sees the old content or the new, never a part. Of two writers the later one wins.

    Args:
      path: of the file; its folder is made if it is missing.
      durable: flush to disk before the rename, so that a power cut loses nothing either. It takes milliseconds, which
        one of thousands of files that can be made again need not pay.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = aside_name(path)
    try:
        with aside.open("wb", buffering=1 << 20) as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    if durable:
        _flush(path.parent)


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole, and removes what writers of it left that were killed."""
    with write(path) as stream:
        stream.write(text.encode("utf-8"))
    _remove_leftovers(path)


@contextmanager
def write_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill, which appears under its own name when the block ends without an error.

    A folder that is there already is replaced; for a moment between two renames there is none. Of two writers the later
    one wins.
    """
    with _aside_folder(path) as aside:
        yield aside
        _flush_tree(aside)
        while not _rename_if_free(aside, path):
            old = aside_name(path)
            with suppress(FileNotFoundError):  # Another writer may have moved it away.
                path.rename(old)
            shutil.rmtree(old, ignore_errors=True)
    _flush(path.parent)


def copy_tree(source: Path, target: Path) -> None:
    """Copies a folder; `target` appears with all its files, and a finished `target` is left as it is."""
    if target.exists():
        return
    with _aside_folder(target) as aside:
        shutil.copytree(source, aside, dirs_exist_ok=True)
        _flush_tree(aside)
        _rename_if_free(aside, target)  # If it is taken, another writer has just finished it.
    _flush(target.parent)


@contextmanager
def _aside_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path`; whatever is left of it at the end is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    aside = aside_name(path)
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _rename_if_free(aside: Path, path: Path) -> bool:
    """Renames a folder unless a folder with content has the name, and says whether it did."""
    try:
        aside.rename(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _flush_tree(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for name in files:
            _flush(Path(parent) / name)
        _flush(Path(parent))


def _remove_leftovers(path: Path) -> None:
    """Removes what processes of this machine that are gone wrote aside of `path`."""
    # The whole name: a sibling that begins alike, as v1.0 beside v1, has asides of its own.
    of_path = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.[0-9a-f]{{{_RANDOM_DIGITS}}}{re.escape(_SUFFIX)}")
    for leftover in path.parent.iterdir():
        match = of_path.fullmatch(leftover.name)
        if not match or psutil.pid_exists(int(match[1])):
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with suppress(PermissionError):  # Of a file that may be written but not read.
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
