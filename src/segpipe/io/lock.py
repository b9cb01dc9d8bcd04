"""Holds a folder while a process works in it, so that two processes cannot write it at once."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segpipe.errors import RunError

_FILE = ".lock"


@contextmanager
def hold(folder: Path, busy: str) -> Iterator[None]:
    """Holds the folder, made if missing; the kernel lets go of it when the process dies, however it dies.

    Args:
      folder: on this machine.
      busy: what to say if another process holds it.

    Raises:
      RunError: another process holds the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(busy) from None
        yield


def is_held(folder: Path) -> bool:
    """Whether a process that is alive holds the folder."""
    path = folder / _FILE
    if not path.is_file():
        return False
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
