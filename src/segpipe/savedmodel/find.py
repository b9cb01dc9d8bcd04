"""What a person names (a run, a run's folder, a serving folder, a SavedModel) in, the serving folder out."""

from dataclasses import dataclass
from pathlib import Path

from segpipe.errors import UserError


@dataclass(frozen=True)
class Place:
    """Where versions of one model lie.

    Attributes:
      name: the model's name for clients: the run's.
      folder: holds one SavedModel per numbered folder.
    """

    name: str
    folder: Path


def find(target: str, runs: Path = Path("runs")) -> Place:
    """Finds the serving folder.

    Args:
      target: a run's name or folder, a serving folder, or one numbered version in it.
      runs: where runs are looked up by name.

    Raises:
      UserError: nothing of that kind is there.
    """
    for folder in (Path(target), runs / target):
        folder = folder.absolute()
        if (folder / "saved_model.pb").is_file():
            if not folder.name.isdigit():
                raise UserError(f"{folder} must be named by its version number, as in {folder.name}/1, to be served.")
            folder = folder.parent
        if (folder / "serving").is_dir():
            return Place(folder.name, folder / "serving")
        if folder.is_dir() and any((version / "saved_model.pb").is_file() for version in folder.glob("[0-9]*")):
            return Place(folder.parent.name if folder.name == "serving" else folder.name, folder)
    raise UserError(
        f"{target} is no run, serving folder or SavedModel; `segpipe run CONFIG` makes one in runs/NAME/serving."
    )
