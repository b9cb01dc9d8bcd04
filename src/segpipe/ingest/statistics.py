"""Measures four numbers of an image that drift when cameras, light or focus change."""

from functools import lru_cache

import numpy as np
from PIL import Image

from segpipe import schema

_SIDE = 128
"""The longer side, in pixels, at most, at which statistics are taken: pictures of all sizes become comparable."""

_LUMA = tuple(np.float32(weight / 255) for weight in (0.299, 0.587, 0.114))
"""Of 8-bit red, green and blue; ITU-R BT.601, as in Pillow's and libjpeg's grey."""


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
    if small.mode == "L":
        luma, saturation = _floats(np.frombuffer(small.tobytes(), np.uint8)) / np.float32(255), 0.0
    else:
        # One plane per channel, 8 bit as long as it goes: several times as fast as floats of [H, W, 3]. Pillow holds
        # four bytes per pixel, so that they come out as they lie, and only then are taken apart.
        pixels = np.frombuffer(small.tobytes("raw", "RGBX"), np.uint8).reshape(-1, 4)
        red, green, blue = (pixels[:, channel].copy() for channel in range(3))
        luma = _floats(red) * _LUMA[0]
        luma += _floats(green) * _LUMA[1]
        luma += _floats(blue) * _LUMA[2]
        highest = np.maximum(np.maximum(red, green), blue)
        lowest = np.minimum(np.minimum(red, green), blue)
        saturation = _mean(_floats(highest - lowest) / _floats(np.maximum(highest, 1)))
    brightness = _mean(luma)
    return {
        schema.BRIGHTNESS: brightness,
        schema.CONTRAST: _deviation(luma, brightness),
        schema.SATURATION: saturation,
        schema.SHARPNESS: _sharpness(luma, small.width),
    }


def _floats(values: np.ndarray) -> np.ndarray:
    """To float32 first, since NumPy's arithmetic converts its operands in pieces, at twice the time."""
    return values.astype(np.float32)


def _mean(values: np.ndarray) -> float:
    """The mean of float32 [N], summed by the BLAS; `ndarray.mean` takes several times as long on few values."""
    return float(np.dot(values, _ones(values.size)) / values.size)


def _deviation(values: np.ndarray, mean: float) -> float:
    """Standard deviation of float32 [N]."""
    centred = values - np.float32(mean)
    return float(np.sqrt(np.dot(centred, centred) / centred.size))


def _sharpness(luma: np.ndarray, width: int) -> float:
    height = luma.size // width
    if min(height, width) < 3:
        return 0.0
    # On the pixels in one line, where a neighbour above is `width` before; the ends of rows are cut off afterwards.
    laplacian = luma[: -2 * width] + luma[2 * width :]
    laplacian += luma[width - 1 : -width - 1]
    laplacian += luma[width + 1 : luma.size - width + 1]
    laplacian -= 4 * luma[width:-width]
    inner = laplacian.reshape(height - 2, width)[:, 1:-1].ravel()
    return _deviation(inner, _mean(inner))


@lru_cache(maxsize=8)
def _ones(number: int) -> np.ndarray:
    return np.ones(number, np.float32)
