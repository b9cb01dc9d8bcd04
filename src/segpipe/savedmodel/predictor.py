"""A model folder in, a function from encoded pictures to masks of their own size out."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from segpipe.errors import DataError, UserError
from segpipe.ingest.picture import open_picture
from segpipe.savedmodel.export import CARD
from segpipe.savedmodel.native_size import at_size


class Predictor:
    """A loaded model.

    Attributes:
      metadata: the model's card: classes, palette, image_size, architecture and more; see savedmodel/export.py.
    """

    def __init__(self, model: Any, metadata: Mapping[str, Any]):
        self._model = model  # Keeps the signature's resources alive.
        self._answer = model.signatures["serving_default"]
        self.metadata = metadata

    @classmethod
    def load(cls, model_dir: str | Path) -> Self:
        """Loads a SavedModel.

        Args:
          model_dir: see `saved_model_folder`.

        Raises:
          UserError: there is no model, or none that segpipe exported.
        """
        folder = saved_model_folder(Path(model_dir))
        card = folder / CARD
        if not card.is_file():
            raise UserError(f"{folder} was not exported by segpipe: {CARD} is missing.")
        model = tf.saved_model.load(str(folder))
        return cls(model, json.loads(card.read_text(encoding="utf-8")))

    def predict(self, encoded: Sequence[bytes]) -> list[NDArray[np.uint8]]:
        """Predicts masks.

        Args:
          encoded: JPEG or PNG pictures of any size.

        Returns:
          A mask uint8 [H, W] of class ids for each, of the picture's own size.

        Raises:
          DataError: a picture cannot be decoded.
        """
        if not encoded:
            return []
        try:
            masks = self._answer(image_bytes=tf.constant(list(encoded)))["mask"].numpy()
            sizes = [_size(picture) for picture in encoded]
        except tf.errors.InvalidArgumentError as error:
            raise DataError(f"a picture cannot be decoded as JPEG or PNG: {error.message.splitlines()[0]}") from None
        return [at_size(mask, height, width) for mask, (height, width) in zip(masks, sizes, strict=True)]


def saved_model_folder(place: Path, runs: Path = Path("runs")) -> Path:
    """Finds the SavedModel: `place` itself, `Format-Serving` in it, its newest version, or that of its `serving`.

    Args:
      place: a folder, or the name of a run.
      runs: where runs are looked up by name.

    Raises:
      UserError: there is none.
    """
    for base in (place, runs / place):
        for folder in (base, base / "Format-Serving", *_versions(base), *_versions(base / "serving")):
            if (folder / "saved_model.pb").is_file():
                return folder
    raise UserError(f"no model in {place}; give a run, such as demo or runs/demo, or a SavedModel.")


def _versions(folder: Path) -> list[Path]:
    """Numbered folders, newest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: -int(path.name))


def _size(encoded: bytes) -> tuple[int, int]:
    """Height and width of a picture, from its header."""
    with open_picture(encoded) as picture:
        return picture.height, picture.width
