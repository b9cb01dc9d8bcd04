"""A decoded image in, four numbers out that drift when cameras, light or focus change."""

import numpy as np
from PIL import Image

from segpipe import schema

_SIDE = 128
"""The longer side, in pixels, at most, at which statistics are taken: pictures of all sizes become comparable."""

_LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as in Pillow's and libjpeg's grey."""


def of(image: Image.Image) -> dict[str, float]:
    """Statistics of an image of mode RGB or L, shrunk by a whole factor until its longer side is below 256 pixels.

    Returns:
      brightness: mean luma, 0…1.
      contrast: standard deviation of luma, 0…0.5.
      saturation: mean HSV saturation, 0…1; 0 for grey.
      sharpness: standard deviation of luma's 4-neighbour Laplacian, >= 0.
    """
    factor = max(1, max(image.size) // _SIDE)
    small = image.reduce(factor) if factor > 1 else image
    # One array per channel, 8 bit as long as it goes: four times as fast as floats of [H, W, 3].
    channels = [np.asarray(channel) for channel in small.split()]
    if len(channels) == 1:
        luma, saturation = np.multiply(channels[0], 1 / 255, dtype=np.float32), 0.0
    else:
        luma = sum(
            np.multiply(channel, weight / 255, dtype=np.float32)
            for channel, weight in zip(channels, _LUMA, strict=True)
        )
        red, green, blue = channels
        highest = np.maximum(np.maximum(red, green), blue)
        lowest = np.minimum(np.minimum(red, green), blue)
        saturation = float(np.divide(highest - lowest, np.maximum(highest, 1), dtype=np.float32).mean())
    return {
        schema.BRIGHTNESS: float(luma.mean()),
        schema.CONTRAST: _deviation(luma),
        schema.SATURATION: saturation,
        schema.SHARPNESS: _sharpness(luma),
    }


def _deviation(values: np.ndarray) -> float:
    """Standard deviation; `ndarray.std` takes twice as long on small arrays."""
    centred = (values - values.mean()).ravel()
    return float(np.sqrt(np.dot(centred, centred) / centred.size))


def _sharpness(luma: np.ndarray) -> float:
    if min(luma.shape) < 3:
        return 0.0
    centre = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return _deviation(around - 4 * centre)
