"""Turns a decoded mask into class ids 0…K-1 and 255; a value that means nothing is an error, never a class.

Values are looked up, never interpolated or scaled, so no class can appear between two others.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image, ImageChops

from segpipe import schema
from segpipe.config.data import Data


@dataclass(frozen=True)
class Meaning:
    """Which stored mask value or colour is which class.

    Attributes:
      class_values: the stored value of each class id.
      ignore_values: stored values that become 255.
      class_colors: the colour of each class id, as 0xRRGGBB; masks are then read as colours, not as values, black and
        white and grey ones too.
      ignore_colors: colours that become 255.
      threshold: values from it on are class 1, the others class 0; 0 for masks that hold class values.
    """

    class_values: tuple[int, ...]
    ignore_values: tuple[int, ...] = ()
    class_colors: tuple[int, ...] = ()
    ignore_colors: tuple[int, ...] = ()
    threshold: int = 0

    @classmethod
    def of(cls, data: Data, ignored_by_source: tuple[int, ...] = (), holds_values: bool = False) -> "Meaning":
        """What the config says, and what the source's own format ignores where that is no class.

        Args:
          data: of the config.
          ignored_by_source: mask values.
          holds_values: the mask holds values whatever colours the config names.
        """
        also = tuple(value for value in ignored_by_source if value not in data.class_values)
        values = cls(data.class_values, data.ignore_values + also)
        if holds_values:
            return values
        return replace(
            values,
            threshold=data.mask_threshold,
            class_colors=tuple(int(color[1:], 16) for color in data.mask_colors),
            ignore_colors=tuple(int(color[1:], 16) for color in data.ignore_colors),
        )

    @cached_property
    def table(self) -> list[int]:
        """Class id or 255 by stored value, 256 entries; values without a meaning are 255, check them first."""
        table = [schema.IGNORE] * 256
        for class_id, value in enumerate(self.class_values):
            table[value] = class_id
        return table

    @cached_property
    def by_color(self) -> dict[int, int]:
        """Class id or 255 by colour, as 0xBBGGRR: so it is read from Pillow's bytes on a little endian machine."""
        ignored = {_reversed(color): schema.IGNORE for color in self.ignore_colors}
        return {_reversed(color): class_id for class_id, color in enumerate(self.class_colors)} | ignored

    @cached_property
    def known(self) -> frozenset[int]:
        """Every value with a meaning."""
        return frozenset(self.class_values) | frozenset(self.ignore_values)


@dataclass(frozen=True)
class ClassIds:
    """A mask of class ids.

    Attributes:
      image: mode L, class ids and 255.
      counts: pixels per class id; ignored ones are not counted.
      as_stored: the decoded file already held exactly these values in one 8-bit channel.
    """

    image: Image.Image
    counts: tuple[int, ...]
    as_stored: bool


def class_ids(mask: Image.Image, meaning: Meaning) -> ClassIds:
    """Looks up every pixel of a decoded mask.

    Raises:
      ValueError: a value without a meaning, or colours; the text continues a sentence that starts with the file.
    """
    if meaning.class_colors:
        return _from_colors(mask, meaning)
    plain = stored_values(mask)
    if meaning.threshold:
        plain = plain.point([int(value >= meaning.threshold) for value in range(256)])
    found: dict[Any, int] = {value: count for count, value in plain.getcolors(256) or ()}
    if unknown := sorted(set(found) - meaning.known):
        share = sum(found[value] for value in unknown) / (mask.width * mask.height)
        raise ValueError(_unknown_values(unknown, share, meaning, mask.format))
    identity = all(meaning.table[value] == value for value in found)
    return ClassIds(
        image=plain if identity else plain.point(meaning.table),
        counts=tuple(found.get(value, 0) for value in meaning.class_values),
        as_stored=identity and not meaning.threshold and mask.mode == "L" and "transparency" not in mask.info,
    )


def _from_colors(mask: Image.Image, meaning: Meaning) -> ClassIds:
    """Looks up every pixel's colour.

    Raises:
      ValueError: a colour without a meaning, or more than 8 bits per channel.
    """
    if mask.mode.startswith(("I", "F")):
        raise ValueError("holds grey levels of more than 8 bits; data.mask_colors are 8-bit colours. Save it as RGB.")
    _check_alpha(mask)
    # One number per pixel, and one comparison per colour: several times as fast as a look-up of every pixel. Pillow
    # holds four bytes per pixel, so that they come out as they lie; the fourth means nothing.
    rgb = mask if mask.mode == "RGB" else mask.convert("RGB")
    pixels = np.frombuffer(rgb.tobytes("raw", "RGBX"), "<u4").reshape(mask.height, mask.width) & np.uint32(0xFFFFFF)
    found = np.full(pixels.shape, schema.IGNORE, np.uint8)
    counts = [0] * len(meaning.class_colors)
    rest = pixels.size
    for color, class_id in meaning.by_color.items():
        if rest == 0:
            break
        here = pixels == color
        count = int(np.count_nonzero(here))
        rest -= count
        if count and class_id != schema.IGNORE:
            found[here] = class_id
            counts[class_id] = count
    if rest:
        unknown = pixels[~np.isin(pixels, list(meaning.by_color))]
        shown = [f"#{color:06x}" for color in sorted(map(_reversed, np.unique(unknown).tolist()))[:5]]
        raise ValueError(
            f"holds the colour {' and '.join(shown)} in {_percent(unknown.size / pixels.size)} of its pixels; "
            "neither data.mask_colors nor data.ignore_colors has it."
        )
    return ClassIds(Image.fromarray(found), tuple(counts), as_stored=False)


def _reversed(color: int) -> int:
    """0xRRGGBB as 0xBBGGRR, and back."""
    return int.from_bytes(color.to_bytes(3, "big"), "little")


def stored_values(mask: Image.Image) -> Image.Image:
    """The mask's values as mode L: grey levels, palette indices, or 0 and 1 of a two-level picture.

    Raises:
      ValueError: colours, or values above 255.
    """
    if mask.mode == "L":
        return mask
    if mask.mode == "P":
        indices = Image.frombytes("L", mask.size, mask.tobytes())
        indices.format = mask.format
        return indices
    if mask.mode == "1":
        return Image.fromarray(np.asarray(mask).astype(np.uint8))
    if mask.mode.startswith("I"):
        values = np.asarray(mask)
        if values.min() < 0 or values.max() > 255:
            raise ValueError(f"holds values up to {int(values.max())}; class values must be 0…255.")
        return Image.fromarray(values.astype(np.uint8))
    _check_alpha(mask)
    if mask.mode == "LA":
        return mask.getchannel("L")
    if mask.mode in ("RGB", "RGBA"):
        red, green, blue = mask.split()[:3]
        if not (ImageChops.difference(red, green).getbbox() or ImageChops.difference(red, blue).getbbox()):
            return red
        raise ValueError(
            "is coloured; masks hold one class value per pixel, as grey levels or palette indices. "
            "Give the colour of each class in data.mask_colors."
        )
    raise ValueError(f"has Pillow mode {mask.mode}; masks hold one class value per pixel in one channel.")


def _check_alpha(mask: Image.Image) -> None:
    """Refuses a mask of one colour whose transparency varies: read without it, it would be one class everywhere."""
    if mask.mode not in ("LA", "RGBA"):
        return
    *colors, alpha = (band.getextrema() for band in mask.split())
    if alpha[0] != alpha[1] and all(lowest == highest for lowest, highest in colors):
        raise ValueError(
            "has one colour everywhere and a transparency that varies: its label is in the alpha channel. Save that "
            "channel as a grey mask."
        )


def _unknown_values(unknown: list[int], share: float, meaning: Meaning, image_format: str | None) -> str:
    shown = ", ".join(str(value) for value in unknown[:5]) + (" …" if len(unknown) > 5 else "")
    classes = ", ".join(str(value) for value in meaning.class_values)
    ignored = ", ".join(str(value) for value in meaning.ignore_values) or "none"
    why = " JPEG blurs masks, store them as PNG." if image_format == "JPEG" else ""
    return (
        f"holds {'value' if len(unknown) == 1 else 'values'} {shown} in {_percent(share)} of its pixels; "
        f"data.mask_values are {classes} and data.ignore_values {ignored}.{why}"
    )


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else f"{share:.1g}"
