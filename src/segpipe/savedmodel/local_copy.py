"""Brings a SavedModel that lies under a URL to this machine for as long as it is needed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from segpipe.errors import UserError
from segpipe.io import files

MAX_COPY_GB = 10.0
_KEPT_PARTS = 3
"""Of the URL in the copy's path, as in demo/serving/1: the run's name and the version can be read from it."""


@contextmanager
def local_copy(model: str | Path) -> Iterator[Path]:
    """The folder of a SavedModel on this machine: itself if it is local, else a copy that is removed at the end.

    Args:
      model: path or URL of a SavedModel.

    Raises:
      UserError: the model is larger than `MAX_COPY_GB`.
      DataError: there is nothing under the URL.
    """
    url = str(model).rstrip("/")
    if not files.is_url(url):
        yield Path(model)
        return
    if (size_gb := files.size_bytes(url) / 1e9) > MAX_COPY_GB:
        raise UserError(f"{url} has {size_gb:,.1f} GB; a model may have {MAX_COPY_GB:g}.")
    parts = url.partition("://")[2].split("/")[1:][-_KEPT_PARTS:]
    with tempfile.TemporaryDirectory(prefix="segpipe-model-") as aside:
        folder = Path(aside, *parts)
        for entry in files.listing(url):
            below = PurePosixPath(_plain(entry.path).removeprefix(f"{_plain(url)}/"))
            if below.is_absolute() or ".." in below.parts:
                raise UserError(f"{entry.path} does not lie below {url}.")
            (folder / below).parent.mkdir(parents=True, exist_ok=True)
            with files.open_to_read(entry.path) as source, (folder / below).open("wb") as target:
                shutil.copyfileobj(source, target)
        yield folder


def _plain(url: str) -> str:
    """A URL in one of the two ways in which file systems without a host write theirs."""
    return url.replace(":///", "://")
