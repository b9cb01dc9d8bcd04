"""Spoils clean pictures with the common corruptions of ImageNet-C, at five severities.

Hendrycks and Dietterich, 2019, https://arxiv.org/abs/1903.12261; the parameters are those of its code for 224 pixels,
https://github.com/hendrycks/robustness, lengths scaled with the picture.
"""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from segpipe.errors import ConfigError
from segpipe.ingest.picture import open_picture

Pixels = NDArray[np.uint8]
_SIDE = 224
"""The side in pixels for which ImageNet-C's lengths are meant."""


def corrupt(image: Pixels, name: str, severity: int, seed: int) -> Pixels:
    """Corrupts one picture; the same seed gives the same result.

    Args:
      image: uint8 [H, W, 3].
      name: one of CORRUPTIONS.
      severity: 1 (slight) to 5 (severe).
      seed: of what is random in it.

    Returns:
      uint8 [H, W, 3].
    """
    return CORRUPTIONS[name](image, severity, np.random.default_rng(seed))


def check_names(names: tuple[str, ...]) -> None:
    """Checks the names.

    Raises:
      ConfigError: one is unknown.
    """
    for name in names:
        if name not in CORRUPTIONS:
            raise ConfigError(f"drill.corruptions: there is no {name!r}; there are {', '.join(CORRUPTIONS)}.")


def _noise(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    scale = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    return _to_bytes(image / 255 + rng.normal(0, scale, image.shape))


def _blur(image: Pixels, severity: int, _: np.random.Generator) -> Pixels:
    radius = (1, 2, 3, 4, 6)[severity - 1] * max(image.shape[:2]) / _SIDE
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def _fog(image: Pixels, severity: int, rng: np.random.Generator) -> Pixels:
    amount, decay = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))[severity - 1]
    pixels = image / 255
    height, width = image.shape[:2]
    foggy = pixels + amount * plasma(max(height, width), decay, rng)[:height, :width, None]
    brightest = pixels.max()
    return _to_bytes(foggy * brightest / (brightest + amount))


def _jpeg(image: Pixels, severity: int, _: np.random.Generator) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=(25, 18, 15, 10, 7)[severity - 1])
    return np.asarray(open_picture(stream.getvalue()).convert("RGB"))


def _brightness(image: Pixels, severity: int, _: np.random.Generator) -> Pixels:
    added = (0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1]
    hue, saturation, value = Image.fromarray(image).convert("HSV").split()
    brighter = value.point(lambda level: min(255, round(level + 255 * added)))
    return np.asarray(Image.merge("HSV", (hue, saturation, brighter)).convert("RGB"))


def _contrast(image: Pixels, severity: int, _: np.random.Generator) -> Pixels:
    kept = (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1]
    pixels = image / 255
    mean = pixels.mean(axis=(0, 1), keepdims=True)
    return _to_bytes((pixels - mean) * kept + mean)


def plasma(side: int, decay: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Clouds: the sum of ever finer noise, each octave weaker by `decay`; float64 [side, side] in 0…1."""
    clouds = np.zeros((side, side))
    cells, weight = 2, 1.0
    while cells <= side:
        coarse = Image.fromarray(rng.uniform(-1, 1, (cells + 1, cells + 1)).astype(np.float32))
        clouds += weight * np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
        cells, weight = cells * 2, weight / decay
    clouds -= clouds.min()
    return clouds / clouds.max()


def _to_bytes(pixels: NDArray[np.float64]) -> Pixels:
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


CORRUPTIONS: dict[str, Callable[[Pixels, int, np.random.Generator], Pixels]] = {
    "noise": _noise,
    "blur": _blur,
    "fog": _fog,
    "jpeg": _jpeg,
    "brightness": _brightness,
    "contrast": _contrast,
}
