"""Fetches a weights file and checks it: a path, or a URL with the SHA-256 that it must have."""

import hashlib
import shutil
import uuid
import warnings
from pathlib import Path

import fsspec
import keras

from segpipe.errors import ConfigError

IMAGENET = "imagenet"
NONE = "none"
INSTEAD = (
    'name a file that you have (model.weights = "PATH", or "URL#sha256=HEX"), or start at random with '
    'model.weights = "none".'
)
PRESET = "preset:"
CACHE = Path("~/.cache/segpipe/weights")


def is_file_or_url(weights: str) -> bool:
    """Whether `model.weights` names a file, here or elsewhere, and not what Keras or Keras Hub knows by name."""
    return weights not in (IMAGENET, NONE) and not weights.startswith(PRESET)


def check(weights: str, directory: Path) -> None:
    """Checks what `fetch` would find out when it is too late to change it cheaply; downloads nothing.

    Raises:
      ConfigError: there is no such file, its checksum is another, or a URL comes without one.
    """
    place, _ = _parted(weights)
    if "://" not in place:
        fetch(weights, directory)


def fetch(weights: str, directory: Path) -> Path:
    """Finds a weights file, downloads it where it is a URL, and checks its SHA-256 where one is given.

    Args:
      weights: a path, absolute or as seen from `directory`, or a URL; either may end in "#sha256=HEX", a URL must.
      directory: where a relative path starts.

    Returns:
      The file on this machine. Downloads are kept under ~/.cache/segpipe/weights, one folder per checksum.

    Raises:
      ConfigError: there is no such file, it cannot be downloaded, or its checksum is another.
    """
    place, checksum = _parted(weights)
    if "://" not in place:
        path = (directory / Path(place).expanduser()).absolute()
        if not path.is_file():
            raise ConfigError(f"model.weights: no such file: {path}; {INSTEAD}")
        if checksum:
            _check(path, checksum, place)
        return path
    path = CACHE.expanduser() / checksum / place.rsplit("/", 1)[-1]
    if not path.is_file():
        _download(place, checksum, path)
    return path


def load(layer: keras.Layer, path: Path, what: str) -> None:
    """Loads a weights file whole; `what` names the network that the file must fit.

    Raises:
      ConfigError: the file is of another network.
    """
    try:
        with warnings.catch_warnings():
            # Keras skips what it does not find in the file, with a warning: a silent fallback to random weights.
            warnings.simplefilter("error", UserWarning)
            layer.load_weights(path)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        raise ConfigError(f"model.weights: {path} does not fit {what} ({str(error).splitlines()[0]}).") from error


def _parted(weights: str) -> tuple[str, str]:
    """The place and the checksum, "" where a path comes without one."""
    place, _, checksum = weights.partition("#sha256=")
    if "://" in place and not checksum:
        raise ConfigError(f'model.weights: a URL needs its checksum, as in "{place}#sha256=HEX" (`sha256sum FILE`).')
    return place, checksum


def _download(url: str, checksum: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{uuid.uuid4().hex}.partial")
    try:
        with fsspec.open(url, "rb") as remote, partial.open("wb") as local:
            shutil.copyfileobj(remote, local)
        _check(partial, checksum, url)
        partial.rename(path)
    except ConfigError:
        raise
    except Exception as error:  # fsspec raises what the protocol's own client raises.
        raise ConfigError(
            f"model.weights: cannot download {url} ({type(error).__name__}: {error}); {INSTEAD}"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _check(path: Path, checksum: str, place: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != checksum.lower():
        raise ConfigError(f"model.weights: {place} should have SHA-256 {checksum}, its content has {found}.")
