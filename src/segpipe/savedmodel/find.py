"""Finds the SavedModel that a person names, on this machine or under a URL, without TensorFlow.

A name is a run (`demo`, looked up in `runs/`), a run's folder, a serving folder, which holds one SavedModel per
numbered version, one of those versions, a SavedModel by itself, or what a Trainer wrote. Of several versions the
one with the highest number is meant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segpipe.errors import UserError
from segpipe.io import files

_SERVING, _TRAINED = "serving", "Format-Serving"
"""Of a run, and of a Trainer's output, the folders that hold models."""
_RUNS = "runs"


@dataclass(frozen=True)
class Serving:
    """A serving folder.

    Attributes:
      name: the model's name for clients: the run's.
      folder: path or URL; holds one SavedModel per numbered folder.
    """

    name: str
    folder: str


def find(target: str | Path, runs: str | Path = _RUNS) -> str:
    """Finds a SavedModel.

    Args:
      target: what a person names; a path or URL in any form that the module lists.
      runs: where runs are looked up by name.

    Returns:
      Path or URL of the SavedModel.

    Raises:
      UserError: there is none.
    """
    for place in _places(target, runs):
        for folder in (place, files.join(place, _SERVING), files.join(place, _TRAINED)):
            if is_model(folder):
                return folder
            newest = _newest(folder)
            if newest is not None:
                return newest
    raise UserError(
        f"no SavedModel in {target}; give a run, such as demo or {_RUNS}/demo, its serving folder, a version in "
        "it or a SavedModel."
    )


def find_serving(target: str | Path, runs: str | Path = _RUNS) -> Serving:
    """Finds the serving folder that a person names, or in which the SavedModel lies.

    Args:
      target: as for `find`.
      runs: where runs are looked up by name.

    Raises:
      UserError: there is none, or the SavedModel is not named by a version number.
    """
    for place in _places(target, runs):
        folder = place if files.is_url(place) else str(Path(place).absolute())
        for model in (folder, files.join(folder, _TRAINED)):
            if is_model(model):
                parent, _, name = model.rpartition("/")
                if not is_version(name):
                    raise UserError(f"{model} must be named by its version number, as in {name}/1, to be served.")
                return Serving(_name(parent), parent)
        if files.is_folder(files.join(folder, _SERVING)):
            return Serving(_name(folder), files.join(folder, _SERVING))
        if _newest(folder) is not None:
            return Serving(_name(folder), folder)
    raise UserError(
        f"{target} is no run, serving folder or SavedModel; `segpipe run CONFIG` makes one in {_RUNS}/NAME/{_SERVING}."
    )


def find_deployed(serving: str | Path) -> str:
    """Finds the newest version in a run's serving folder.

    Raises:
      UserError: there is none.
    """
    newest = _newest(str(serving))
    if newest is None:
        raise UserError(f"{serving} holds no model; `segpipe run CONFIG` pushes one when it is blessed.")
    return newest


def versions(folder: str | Path) -> dict[int, str]:
    """Paths or URLs of the numbered folders right in `folder` by their numbers, the newest first."""
    numbered = {}
    for path in files.names_in(str(folder)):
        name = path.rstrip("/").rpartition("/")[2]
        if is_version(name) and files.is_folder(files.join(str(folder), name)):
            numbered[int(name)] = files.join(str(folder), name)
    return dict(sorted(numbered.items(), reverse=True))


def version_of(model: str | Path) -> int:
    """The version number of a SavedModel: its folder's name; 0 if that is no number."""
    path = str(model).rstrip("/") if files.is_url(str(model)) else str(Path(model).absolute())
    name = path.rpartition("/")[2]
    return int(name) if is_version(name) else 0


def is_version(name: str) -> bool:
    """Whether a folder's name is a version number: the digits 0…9 and nothing else."""
    return name.isascii() and name.isdigit()


def is_model(folder: str) -> bool:
    """Whether a folder is a SavedModel."""
    return files.exists(files.join(folder, "saved_model.pb"))


def _newest(folder: str) -> str | None:
    return next((path for path in versions(folder).values() if is_model(path)), None)


def _places(target: str | Path, runs: str | Path) -> Iterator[str]:
    """Where to look: the path as it is, then the run of that name."""
    place = str(target)
    place = place.rstrip("/") or place
    yield place
    if not files.is_url(place) and not Path(place).is_absolute():
        yield files.join(str(runs), place)


def _name(folder: str) -> str:
    """The run's name, given its folder or its serving folder."""
    parent, _, name = folder.rpartition("/")
    return parent.rpartition("/")[2] if name == _SERVING else name
