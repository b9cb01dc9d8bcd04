"""Counts the deployed model's pixels against masks that people drew for logged requests."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest import encode, masks, picture
from segpipe.metrics import confusion
from segpipe.serve import request_log as kept_requests
from segpipe.serve.request_log import Kept


def margins(kept: list[Kept], folder: Path, labels: Path, config: Config) -> NDArray[np.int64] | None:
    """Right, true and predicted pixels of each class, int64 [N, 3, K], of the kept requests that have a label.

    Args:
      kept: the window.
      folder: where the server keeps requests.
      labels: holds ID.png for each labelled request, with the mask values of the config.
      config: of the run.

    Returns:
      None where no kept request has a label.

    Raises:
      DataError: a label cannot be read as a picture, or has values that mean nothing.
    """
    meaning = masks.Meaning.of(config.data)
    counts = []
    for one in kept:
        label, predicted = labels / f"{one.id}.png", kept_requests.mask_path(folder, one.id)
        if not (label.is_file() and predicted.is_file()):
            continue
        with picture.open_picture(predicted) as image:
            prediction = np.asarray(image)
        content, name = encode.content(str(label), one.id, "label")
        drawn = picture.load(content, name, config.source.max_megapixels)
        try:
            truth = masks.class_ids(drawn, meaning).image
        except ValueError as error:
            raise DataError(f"{name} {error}") from None
        # By the nearest pixel, as training masks are.
        small = truth.resize((prediction.shape[1], prediction.shape[0]), Image.Resampling.NEAREST)
        counts.append(confusion.confusion_matrix(np.asarray(small), prediction, config.num_classes))
    return confusion.margins(np.stack(counts)) if counts else None
