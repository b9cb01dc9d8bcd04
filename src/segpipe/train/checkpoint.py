"""Stores the state of a training in one file, whole or not at all, and restores it after a crash."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from segpipe.errors import RunError

FILE = "checkpoint.npz"

_FORMAT = 2
"""Of the file; one of another format is not continued."""


@dataclass
class State:
    """Everything that the next epoch depends on.

    Attributes:
      epoch: how many epochs are done.
      variables: the values of the model's and the optimizer's variables, in their order.
      best: the values of the model's variables after the best epoch; empty before the first. Where that is the last
        epoch, the arrays are those of `variables`, and stored once.
      best_epoch: that epoch, counted from 1; 0 before the first.
      history: one dict per epoch.
    """

    epoch: int = 0
    variables: list[np.ndarray] = field(default_factory=list)
    best: list[np.ndarray] = field(default_factory=list)
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def save(folder: str, digest: str, state: State) -> None:
    """Writes the state to a file aside and renames it, so that a kill leaves the old state or the new one.

    Args:
      folder: a path or gs:// URL.
      digest: of all that the training depends on.
      state: what to keep.
    """
    values = [*state.variables, *state.best]
    names: dict[int, str] = {}
    for value in values:
        names.setdefault(id(value), f"{len(names):05d}")
    header = {
        "format": _FORMAT,
        "digest": digest,
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "history": state.history,
        "variables": [names[id(value)] for value in state.variables],
        "best": [names[id(value)] for value in state.best],
    }
    arrays: dict[str, Any] = {names[id(value)]: value for value in values}
    size_mb = sum(value.nbytes for value in arrays.values()) / 1e6
    with written_whole(f"{folder}/{FILE}", size_mb) as stream:
        np.savez(stream, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)


def load(folder: str, digest: str) -> State | None:
    """Reads what `save` wrote; None where there is nothing, or something of another training."""
    path = f"{folder}/{FILE}"
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path, "rb") as file:
        arrays = np.load(io.BytesIO(file.read()))
    header = json.loads(arrays["header"].tobytes())
    if (header.get("format"), header["digest"]) != (_FORMAT, digest):
        return None
    values = {name: arrays[name] for name in {*header["variables"], *header["best"]}}
    variables, best = ([values[name] for name in header[which]] for which in ("variables", "best"))
    return State(header["epoch"], variables, best, header["best_epoch"], header["history"])


@contextmanager
def written_whole(path: str, size_mb: float) -> Iterator[io.RawIOBase]:
    """A stream to a file, local or gs://, that nobody ever sees half-written.

    Args:
      path: of the file.
      size_mb: what will be written, for the error.

    Raises:
      RunError: the disk is full.
    """
    aside = f"{path}.partial"
    try:
        with tf.io.gfile.GFile(aside, "wb") as file:
            yield _Stream(file)
    except tf.errors.ResourceExhaustedError as error:
        tf.io.gfile.remove(aside)
        raise RunError(
            f"the disk is full: no room for the {size_mb:.1f} MB of {path}; free some and run the same command again: "
            "it continues after the last whole epoch."
        ) from error
    tf.io.gfile.rename(aside, path, overwrite=True)


class _Stream(io.RawIOBase):
    """What `np.savez` can write to: a GFile by itself has the methods for going back, and refuses them."""

    def __init__(self, file: tf.io.gfile.GFile) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._file.write(bytes(content))
        return len(content)
