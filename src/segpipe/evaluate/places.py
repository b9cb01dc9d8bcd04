"""What a person names in, the SavedModel or the TFRecord files that are meant out, without TensorFlow."""

from pathlib import Path

from segpipe.errors import DataError, UserError
from segpipe.ingest import example_files
from segpipe.io import files

_MODEL_FOLDERS = ("serving", "Format-Serving")
"""Of a run, and of a Trainer's output, the folders that hold models."""


def find_model(place: str) -> str:
    """The SavedModel that a person means.

    Args:
      place: path or URL of a SavedModel, of a folder of numbered versions, of which the newest is taken, of a run's
        folder, or of what a Trainer wrote.

    Raises:
      UserError: there is none.
    """
    for folder in (place.rstrip("/"), *(files.join(place, name) for name in _MODEL_FOLDERS)):
        if _is_model(folder):
            return folder
        names = (path.rstrip("/").rpartition("/")[2] for path in files.names_in(folder))
        versions = sorted((name for name in names if name.isdigit()), key=int, reverse=True)
        for version in versions:
            if _is_model(files.join(folder, version)):
                return files.join(folder, version)
    raise UserError(f"no SavedModel in {place}; give a run's folder, its serving folder or one version in it.")


def _is_model(folder: str) -> bool:
    return files.exists(files.join(folder, "saved_model.pb"))


def find_split(folder: str, split: str) -> list[str]:
    """The TFRecord files of one split in a folder that `segpipe prepare` or an ExampleGen wrote.

    Args:
      folder: path or URL; or one TFRecord file, which is taken whole.
      split: train, eval or test.

    Raises:
      DataError: there is no such folder, or it has no file of the split.
    """
    if not files.is_folder(folder):
        return [files.entry(folder).path]
    if files.is_folder(files.join(folder, f"Split-{split}")):
        return example_files.shards([files.join(folder, f"Split-{split}")])
    found = [entry.path for entry in files.listing(folder) if Path(entry.path).name.startswith(f"{split}-")]
    if not found:
        raise DataError(f"no file {split}-* in {folder}; `segpipe prepare CONFIG` writes them.")
    return found
