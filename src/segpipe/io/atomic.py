"""Folders that appear whole or not at all: written aside, then renamed."""

import os
import shutil
from pathlib import Path


def copy_tree(source: Path, target: Path) -> None:
    """Copies a folder; `target` appears with all its files, and a finished `target` is left as it is.

    A server that polls the parent folder never sees the copy under way: its name starts with a dot and is no number.
    """
    if target.exists():
        return
    aside = target.with_name(f".{target.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, aside)
    for folder, _, files in os.walk(aside):
        for name in files:
            _flush(Path(folder) / name)
    aside.rename(target)


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole: a reader sees the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.partial")
    aside.write_text(text, encoding="utf-8")
    _flush(aside)
    aside.rename(path)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
