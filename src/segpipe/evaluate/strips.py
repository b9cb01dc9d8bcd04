"""Draws a Sample as one picture: what the model saw, the truth, its prediction and its errors side by side.

For places that show pictures by their address and cannot hold them, as a comment on a pull request does.
"""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segpipe import schema
from segpipe.evaluate.report import Sample
from segpipe.palette import colorize

MAX_SIDE_PIXELS: Final = 256
"""Of each of the four panes."""

_GAP_PIXELS = 4


def strip(sample: Sample) -> bytes:
    """The sample as one JPEG: picture, truth, prediction, errors."""
    panes = [
        fit(sample.image, photo=True),
        fit(colorize(sample.truth)),
        fit(colorize(sample.prediction)),
        fit(errors(sample), photo=True),
    ]
    width, height = panes[0].size
    joined = Image.new("RGB", (len(panes) * (width + _GAP_PIXELS) - _GAP_PIXELS, height), "white")
    for place, pane in enumerate(panes):
        joined.paste(pane, (place * (width + _GAP_PIXELS), 0))
    buffer = io.BytesIO()
    joined.save(buffer, "JPEG", quality=85, subsampling=0)  # Halved colour would blur the borders of the classes.
    return buffer.getvalue()


def errors(sample: Sample) -> NDArray[np.uint8]:
    """The picture in grey with every wrong pixel in red, uint8 [H, W, 3]; ignored pixels are never wrong."""
    grey = np.repeat(sample.image.mean(axis=-1, keepdims=True) * 0.5 + 100, 3, axis=-1)
    return np.where(wrong(sample)[..., None], (213, 0, 0), grey).astype(np.uint8)


def wrong(sample: Sample) -> NDArray[np.bool_]:
    """Where the prediction is not the truth, [H, W]."""
    return (sample.prediction != sample.truth) & (sample.truth != schema.IGNORE)


def fit(pixels: NDArray[np.uint8], photo: bool = False) -> Image.Image:
    """`pixels` [H, W, 3] made smaller, where that is needed, until no side is longer than MAX_SIDE_PIXELS.

    Args:
      pixels: RGB.
      photo: may be smoothed; what shows classes may not, since that would invent colours between them.
    """
    image = Image.fromarray(pixels)
    scale = MAX_SIDE_PIXELS / max(image.size)
    if scale >= 1:
        return image
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS if photo else Image.Resampling.NEAREST)
