"""Holds the files of a repository as (path, bytes) from local folders, and digests them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class File:
    """A file of a repository: where it goes, and its bytes or the local file that holds them."""

    path: str
    source: Path | bytes

    def read(self) -> bytes:
        """The file's bytes."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()

    @property
    def size_bytes(self) -> int:
        """Its length, without reading it."""
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size


_SHOWN = frozenset({".streamlit/config.toml"})
"""Hidden files that are meant for everybody."""


def folder_files(folder: Path, prefix: str = "") -> tuple[File, ...]:
    """Every file of a folder, in order, under `prefix` in the repository; hidden ones, such as .env, are nobody's."""
    below = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    shown = (path for path in below if path.as_posix() in _SHOWN or not any(map(_is_hidden, path.parts)))
    return tuple(File(prefix + path.as_posix(), folder / path) for path in shown)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


def tree_digest(files: Iterable[File]) -> str:
    """40 hexadecimal digits that depend on the paths and bytes of `files` alone."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path):
        content = hashlib.sha256(file.read()).hexdigest()
        digest.update(f"{file.path}\0{content}\n".encode())
    return digest.hexdigest()[:40]
