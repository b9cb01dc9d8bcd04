"""Lists the pictures that files, folders, globs or URLs name, each with a name for its output."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath

from segpipe.errors import DataError
from segpipe.ingest.sources.folder import PICTURE_SUFFIXES
from segpipe.io import files


@dataclass(frozen=True)
class Listed:
    """One picture to predict.

    Attributes:
      path: path or URL.
      id: its path below the folder or the glob's fixed part, without suffix where that is still unique.
      number: in the listing, from 0.
    """

    path: str
    id: str
    number: int


def listing(inputs: Sequence[str], output: str | None = None) -> list[Listed]:
    """Every picture that folders, globs and single files name, in a stable order.

    Args:
      inputs: local paths or URLs such as gs://bucket/folder; `*`, `?`, `[…]` and `**` are globs. A folder is searched
        to any depth.
      output: where predictions will go. What lies there is none of the pictures of a folder around it: an earlier call
        wrote it.

    Raises:
      DataError: an input is missing or names no picture, or two pictures would write the same files.
    """
    found: dict[str, str] = {}
    for one in map(_normal, inputs):
        paths = [_normal(entry.path) for entry in files.matching(one, PICTURE_SUFFIXES)]
        if files.is_glob(one):  # "photos/*" means the pictures; only where no name tells them, all that matches.
            paths = [path for path in paths if path.lower().endswith(tuple(PICTURE_SUFFIXES))] or paths
        if output is not None and not _lies_in(_base(one), output):
            paths = [path for path in paths if not _lies_in(path, output)]
            if not paths:
                raise DataError(f"{files.shown(one)} holds no pictures but the predictions in {files.shown(output)}.")
        for path in paths:
            found.setdefault(path, _below(one, path))
    stems = [str(PurePosixPath(name).with_suffix("")) for name in found.values()]
    uses = Counter(stems)
    ids = [name if uses[stem] > 1 else stem for stem, name in zip(stems, found.values(), strict=True)]
    by_id: dict[str, str] = {}
    for path, name in zip(found, ids, strict=True):
        if by_id.setdefault(name, path) != path:
            raise DataError(
                f"{by_id[name]} and {path} would both be written as {name}; predict them one after the other into two "
                "folders, or name the folder that holds both."
            )
    return [Listed(path, name, number) for number, (path, name) in enumerate(zip(found, ids, strict=True))]


def _normal(path: str) -> str:
    """A local path without `.`, `..` and `//`, so that one file has one name; a URL as it is."""
    return path if files.is_url(path) else os.path.normpath(path)


def _base(one: str) -> str:
    """The fixed part of an input."""
    parts = one.rstrip("/").split("/")
    if files.is_glob(one):
        parts = list(takewhile(lambda part: not any(sign in part for sign in "*?["), parts))
    return "/".join(parts)


def _below(one: str, path: str) -> str:
    """`path` relative to the fixed part of the input that named it."""
    base, path = _address(_base(one)), _address(path)
    return path.removeprefix(base).lstrip("/") if path != base else PurePosixPath(path).name


def _lies_in(path: str, folder: str) -> bool:
    """Whether a path is the folder or anything below it."""
    # Path.absolute() would leave `..` in, and resolve() follow links.
    path, folder = (_address(one) if files.is_url(one) else os.path.abspath(one) for one in (path, folder))  # noqa: PTH100
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def _address(path: str) -> str:
    """A path or URL in one of the two ways that file systems write those without a host."""
    return path.replace(":///", "://")
