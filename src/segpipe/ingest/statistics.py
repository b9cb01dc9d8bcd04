"""A decoded image in, four numbers out that drift when cameras, light or focus change."""

import numpy as np
from PIL import Image

from segpipe import schema

_SIDE = 128
"""The longer side, in pixels, at most, at which statistics are taken: pictures of all sizes become comparable."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in Pillow's and libjpeg's grey


def of(image: Image.Image) -> dict[str, float]:
    """Statistics of an image of mode RGB or L, shrunk by a whole factor until its longer side is below 256 pixels.

    Returns:
      brightness: mean luma, 0…1.
      contrast: standard deviation of luma, 0…0.5.
      saturation: mean HSV saturation, 0…1; 0 for grey.
      sharpness: standard deviation of luma's 4-neighbour Laplacian, >= 0.
    """
    factor = max(1, max(image.size) // _SIDE)
    pixels = np.asarray(image.reduce(factor) if factor > 1 else image, np.float32) / 255
    if pixels.ndim == 2:
        luma, saturation = pixels, 0.0
    else:
        luma = pixels @ _LUMA
        red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
        highest = np.maximum(np.maximum(red, green), blue)
        lowest = np.minimum(np.minimum(red, green), blue)
        saturation = float(np.mean((highest - lowest) / np.maximum(highest, 1e-6)))
    return {
        schema.BRIGHTNESS: float(luma.mean()),
        schema.CONTRAST: float(luma.std()),
        schema.SATURATION: saturation,
        schema.SHARPNESS: _sharpness(luma),
    }


def _sharpness(luma: np.ndarray) -> float:
    if min(luma.shape) < 3:
        return 0.0
    centre = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float((around - 4 * centre).std())
