"""A decoded image in, four numbers out that drift when cameras, light or focus change."""

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
    # 8 bit as long as it goes, and one plane per channel: several times as fast as floats of [H, W, 3].
    if small.mode == "L":
        luma, saturation = np.multiply(np.asarray(small), np.float32(1 / 255), dtype=np.float32), 0.0
    else:
        planes = np.frombuffer(small.tobytes("raw", "RGB;L"), np.uint8).reshape(small.height, 3, small.width)
        red, green, blue = planes[:, 0], planes[:, 1], planes[:, 2]
        luma = np.multiply(red, _LUMA[0], dtype=np.float32)
        luma += np.multiply(green, _LUMA[1], dtype=np.float32)
        luma += np.multiply(blue, _LUMA[2], dtype=np.float32)
        highest = np.maximum(np.maximum(red, green), blue)
        lowest = np.minimum(np.minimum(red, green), blue)
        saturation = _mean(np.divide(highest - lowest, np.maximum(highest, 1), dtype=np.float32))
    return {
        schema.BRIGHTNESS: _mean(luma),
        schema.CONTRAST: _deviation(luma),
        schema.SATURATION: saturation,
        schema.SHARPNESS: _sharpness(luma),
    }


def _mean(values: np.ndarray) -> float:
    """The mean; `ndarray.mean` takes twice as long on small arrays, as `ndarray.std` does."""
    return float(np.add.reduce(values, axis=None) / values.size)


def _deviation(values: np.ndarray) -> float:
    """Standard deviation."""
    centred = (values - np.float32(_mean(values))).ravel()
    return float(np.sqrt(np.dot(centred, centred) / centred.size))


def _sharpness(luma: np.ndarray) -> float:
    height, width = luma.shape
    if min(height, width) < 3:
        return 0.0
    # On the pixels in one line, where a neighbour above is `width` before; the ends of rows are cut off afterwards.
    line = luma.ravel()
    laplacian = line[: -2 * width] + line[2 * width :]
    laplacian += line[width - 1 : -width - 1]
    laplacian += line[width + 1 : line.size - width + 1]
    laplacian -= 4 * line[width:-width]
    return _deviation(laplacian.reshape(height - 2, width)[:, 1:-1])
