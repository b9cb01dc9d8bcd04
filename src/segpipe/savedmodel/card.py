"""Reads the card of a SavedModel: its classes, palette, image size, architecture and versions."""

import json
from typing import Any

from segpipe.errors import DataError
from segpipe.io import files

CARD = "assets.extra/segpipe.json"
"""The card's path in the SavedModel's folder; `export.card` lists what it holds."""


def read(model: str) -> dict[str, Any]:
    """Reads what the SavedModel in a folder or under a URL says of itself, without loading it.

    Raises:
      DataError: the folder is not a SavedModel of segpipe's, or its card is damaged.
    """
    path = files.join(model, CARD)
    try:
        if not files.exists(path):
            raise DataError(f"{model} is no model of segpipe's: it has no {CARD}.")
        return json.loads(files.read(path))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
