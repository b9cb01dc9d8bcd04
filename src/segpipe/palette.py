"""Colours class ids using one palette for the report, the overlays of `predict` and the demo app (NumPy only)."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from segpipe import schema

_FIRST_COLORS = (
    (0, 114, 178),  # blue
    (230, 159, 0),  # orange
    (0, 158, 115),  # bluish green
    (213, 94, 0),  # vermilion
    (86, 180, 233),  # sky blue
    (240, 228, 66),  # yellow
    (204, 121, 167),  # reddish purple
)
"""Colours that stay apart for every common kind of colour blindness: Okabe and Ito, https://jfly.uni-koeln.de/color/."""

_IGNORE_STRIPES = ((96, 96, 96), (160, 160, 160))
_STRIPE_PIXELS = 4


def palette(num_classes: int) -> NDArray[np.uint8]:
    """Gives each class its colour; the first colours are the same whatever the number of classes.

    Args:
      num_classes: K, from 1 to 255.

    Returns:
      uint8 [K, 3], RGB, all different: seven colours that are safe for the colour-blind, then the ones farthest
      from all before them in CIELAB.

    Raises:
      ValueError: `num_classes` is not in 1…255.
    """
    if not 1 <= num_classes <= schema.MAX_CLASSES:
        raise ValueError(f"num_classes must be in 1…{schema.MAX_CLASSES}, got {num_classes}.")
    return _all_colors()[:num_classes].copy()


def colorize(mask: NDArray[np.uint8], colors: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Paints a mask with one colour per class; ignored pixels get grey stripes, which no class has.

    Args:
      mask: uint8 [H, W], class ids 0…K-1, 255 = ignore.
      colors: uint8 [K, 3]; the palette when left out.

    Returns:
      uint8 [H, W, 3], RGB.

    Raises:
      ValueError: the mask holds a class that has no colour.
    """
    colors = _all_colors() if colors is None else np.asarray(colors, np.uint8)
    judged = mask != schema.IGNORE
    if judged.any() and (largest := int(mask[judged].max())) >= len(colors):
        raise ValueError(f"the mask holds class {largest} but there are {len(colors)} colours; pass one per class.")
    painted = np.append(colors, [[0, 0, 0]], axis=0).astype(np.uint8)[np.where(judged, mask, len(colors))]
    rows, columns = np.nonzero(~judged)
    painted[rows, columns] = np.array(_IGNORE_STRIPES, np.uint8)[(rows + columns) // _STRIPE_PIXELS % 2]
    return painted


def overlay(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    opacity: float = 0.5,
    colors: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Lays the painted mask over its picture.

    Args:
      image: uint8 [H, W, 3], RGB.
      mask: uint8 [H, W], class ids 0…K-1, 255 = ignore.
      opacity: of the mask, from 0 (picture alone) to 1 (mask alone).
      colors: uint8 [K, 3]; the palette when left out.

    Returns:
      uint8 [H, W, 3], RGB.

    Raises:
      ValueError: picture and mask differ in size, or the opacity is not in 0…1.
    """
    if image.shape[:2] != mask.shape:
        raise ValueError(f"picture and mask must have one size, got {image.shape[:2]} and {mask.shape}.")
    if not 0.0 <= opacity <= 1.0:
        raise ValueError(f"opacity must be in 0…1, got {opacity}.")
    mixed = (1.0 - opacity) * image + opacity * colorize(mask, colors)
    return np.rint(mixed).astype(np.uint8)


@lru_cache(maxsize=1)
def _all_colors() -> NDArray[np.uint8]:
    levels = np.arange(0, 256, 32) + 16
    candidates = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    candidates_lab = _lab(candidates)
    colors = list(_FIRST_COLORS)
    taken = _lab(np.array(_FIRST_COLORS + _IGNORE_STRIPES))
    distance = np.linalg.norm(candidates_lab[:, None] - taken, axis=-1).min(axis=1)
    while len(colors) < schema.MAX_CLASSES:
        best = int(distance.argmax())
        colors.append(tuple(candidates[best].tolist()))
        distance = np.minimum(distance, np.linalg.norm(candidates_lab - candidates_lab[best], axis=-1))
    return np.array(colors, np.uint8)


def _lab(rgb: NDArray[np.integer]) -> NDArray[np.float64]:
    """CIELAB of sRGB colours [N, 3] in 0…255 under D65, as IEC 61966-2-1 and CIE 15 define them."""
    encoded = rgb / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    relative = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    root = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root[:, 0], root[:, 1], root[:, 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
