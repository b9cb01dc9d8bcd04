"""Looks at all masks of a data set together and finds where two of them mean different things by the same value.

One mask by itself can be read in several ways; which one is right shows only beside the others. A disagreement is a
sentence that names two files and their two readings, since the wrong reading would train, and pass the gate, unnoticed.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFilter

from segpipe import schema

_LEVELS = 256
_SOFT = 0.2
"""Share of the pixels between the two main values up to which a mask counts as two classes with a soft edge."""

_SOFT_LEVELS = 10
"""So many different values at least; fewer may be classes."""

_BORDER_RADIUS_PX = 3
_LEFT_OF_A_BORDER = 0.1
"""A border is thin: no more than this share of it is left after its edge is taken off, `_BORDER_RADIUS_PX` deep."""

Color = tuple[int, int, int]


class MaskCensus:
    """What the masks of one data set hold; `add` each mask, then ask.

    Attributes:
      pixels: number of pixels by value, over all masks.
    """

    def __init__(self) -> None:
        self.pixels = [0] * _LEVELS
        self._first_with_1 = ""
        self._first_with_255 = ""
        self._mixed = False
        self._grey = ""
        self._palette_colors: dict[int, tuple[Color, str]] = {}
        self._conflict = ""
        self._inner_255 = 0

    def add(self, name: str, mask: Image.Image, values: Image.Image) -> None:
        """Counts one mask.

        Args:
          name: how sentences call it.
          mask: as it was decoded.
          values: mode L, as `masks.stored_values` reads it.
        """
        histogram = values.histogram()
        self.pixels = [total + here for total, here in zip(self.pixels, histogram, strict=True)]
        held = [value for value, number in enumerate(histogram) if number]
        self._add_binary(name, held)
        if mask.mode == "P":
            self._add_palette(name, mask, held)
        elif mask.mode in ("L", "1"):
            self._grey = self._grey or name
        if histogram[schema.IGNORE]:
            region = values.point([0] * schema.IGNORE + [255])
            inner = region.filter(ImageFilter.BoxBlur(_BORDER_RADIUS_PX))  # 255 is left of whole windows of 255 only.
            self._inner_255 += inner.histogram()[255]

    @property
    def values(self) -> list[int]:
        """Every value that occurs, ascending."""
        return [value for value, number in enumerate(self.pixels) if number]

    def disagreement(self) -> str:
        """Two masks that contradict each other, as a sentence; empty if none do."""
        if self._conflict:
            return self._conflict
        if set(self.values) == {0, 1, schema.IGNORE} and not self._mixed:
            return (
                f"{self._first_with_1} holds 0/1 and {self._first_with_255} 0/255: these look like two ways of writing "
                "the same mask. Save all masks in one of them."
            )
        if self._grey and (index := self._dark_after_light()) is not None:
            (first, name), (second, _) = self._palette_colors[index], self._palette_colors[index + 1]
            return (
                f"{name} has a palette in which the value {index} is {_hex(first)} and {index + 1} {_hex(second)}, and "
                f"{self._grey} is grey without a palette: their values may mean opposite things. Save all masks in one "
                "of the two forms."
            )
        return ""

    def soft_edge(self) -> tuple[int, int, float] | None:
        """The two values of masks with a soft edge, and the share of the pixels between them; None for other masks."""
        total = sum(self.pixels)
        first, second = sorted(int(value) for value in np.argsort(self.pixels)[-2:])
        between = 1 - (self.pixels[first] + self.pixels[second]) / max(1, total)
        plausible = len(self.values) >= _SOFT_LEVELS and (first, second) == (self.values[0], self.values[-1])
        return (first, second, between) if plausible and 0 < between <= _SOFT else None

    def looks_like_a_border(self) -> bool:
        """Whether 255 is drawn as thin lines, as Pascal VOC draws the borders that it ignores."""
        return self._inner_255 <= _LEFT_OF_A_BORDER * self.pixels[schema.IGNORE]

    def _add_binary(self, name: str, held: Sequence[int]) -> None:
        if 1 in held and schema.IGNORE in held:
            self._mixed = True
        elif 1 in held:
            self._first_with_1 = self._first_with_1 or name
        elif schema.IGNORE in held:
            self._first_with_255 = self._first_with_255 or name

    def _add_palette(self, name: str, mask: Image.Image, held: Sequence[int]) -> None:
        table = mask.getpalette("RGB") or []
        for index in held:
            red, green, blue = (*table[3 * index : 3 * index + 3], 0, 0, 0)[:3]
            color, before = self._palette_colors.setdefault(index, ((red, green, blue), name))
            if color != (red, green, blue) and not self._conflict:
                self._conflict = (
                    f"the palettes differ: the value {index} is {_hex(color)} in {before} and "
                    f"{_hex((red, green, blue))} in {name}, so it means two things. Save all masks with one palette, "
                    "or as RGB and name the colours in data.mask_colors."
                )

    def _dark_after_light(self) -> int | None:
        """The first of two following palette indices whose greys fall: its palette turns the order of grey masks."""
        for index, ((red, green, blue), _) in sorted(self._palette_colors.items()):
            following = self._palette_colors.get(index + 1)
            if following and red == green == blue and len(set(following[0])) == 1 and following[0][0] < red:
                return index
        return None


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
