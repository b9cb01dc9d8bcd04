"""What a person names in, the SavedModel or the TFRecord files that are meant out, without TensorFlow."""

from pathlib import Path

from segpipe.errors import DataError, UserError
from segpipe.evaluate import examples
from segpipe.ingest import files


def find_model(place: Path) -> str:
    """The SavedModel that a person means.

    Args:
      place: a SavedModel, a folder of numbered versions, of which the newest is taken, or a run's folder.

    Raises:
      UserError: there is none.
    """
    for folder in (place, place / "serving"):
        if (folder / "saved_model.pb").is_file():
            return str(folder)
        versions = [path for path in folder.glob("*") if path.name.isdigit() and (path / "saved_model.pb").is_file()]
        if versions:
            return str(max(versions, key=lambda path: int(path.name)))
    raise UserError(f"no SavedModel in {place}; give a run's folder, its serving folder or one version in it.")


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
        return examples.shards([files.join(folder, f"Split-{split}")])
    found = [entry.path for entry in files.listing(folder) if Path(entry.path).name.startswith(f"{split}-")]
    if not found:
        raise DataError(f"no file {split}-* in {folder}; `segpipe prepare CONFIG` writes them.")
    return found
