"""Finds the TFRecord files of the split that a person names, without TensorFlow."""

from pathlib import Path

from segpipe.errors import DataError
from segpipe.ingest import example_files
from segpipe.io import files


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
