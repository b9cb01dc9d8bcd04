"""Draws what can be seen of a picture that cannot be used, as one tile of a contact sheet."""

import base64
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PIL import Image

from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest import encode, masks
from segpipe.ingest.picture import open_picture
from segpipe.ingest.record import Record

MOST_SHOWN = 24
"""Tiles of one contact sheet; the sentences go on without pictures."""

_SIDE = 144
_IGNORED, _UNKNOWN, _NOTHING = (70, 90, 140), (213, 0, 0), (228, 228, 228)
_ANY_SIZE = float("inf")


@dataclass(frozen=True)
class Offender:
    """One picture on the contact sheet.

    Attributes:
      id: of the picture.
      sentence: what is wrong with it.
      tile: image and mask side by side as base64 of a JPEG; "" where there is nothing to show.
    """

    id: str
    sentence: str
    tile: str = ""


class BadPicturesError(DataError):
    """Pictures stop the run; the message names some, `offenders` shows them.

    Attributes:
      offenders: for the contact sheet.
    """

    def __init__(self, sentence: str, offenders: Sequence[Offender]) -> None:
        super().__init__(sentence)
        self.offenders = tuple(offenders)


def of_record(record: Record, sentence: str, config: Config) -> Offender:
    """Shows as much of a record as can be decoded; a mask value that is no class is red, an ignored one blue."""
    meaning = encode.meaning(record, config.data)
    limit = config.source.max_megapixels
    return of_content(record.id, sentence, record.image, record.mask, meaning, limit)


def of_content(
    picture_id: str,
    sentence: str,
    image: str | bytes,
    mask: str | bytes | np.ndarray,
    meaning: masks.Meaning,
    max_megapixels: float = _ANY_SIZE,
) -> Offender:
    """The same of an image and a mask, as paths or as what the files hold."""
    if isinstance(mask, np.ndarray):
        truth: Image.Image | None = Image.fromarray(mask)
    else:
        truth = _seen(mask, max_megapixels)
    return Offender(
        picture_id, sentence, _tile(_seen(image, max_megapixels), _coloured(truth, meaning) if truth else None)
    )


def _tile(image: Image.Image | None, mask: Image.Image | None) -> str:
    """Both side by side, at most 144 pixels high each, as base64 of a JPEG; "" where neither can be seen."""
    if image is None and mask is None:
        return ""
    sheet = Image.new("RGB", (2 * _SIDE + 4, _SIDE), "white")
    for place, (picture, filter_) in enumerate(
        ((image, Image.Resampling.BILINEAR), (mask, Image.Resampling.NEAREST))  # No new value between two in a mask.
    ):
        shown = Image.new("RGB", (_SIDE, _SIDE), _NOTHING)
        if picture is not None:
            scale = _SIDE / max(picture.size)
            size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
            small = picture.convert("RGB").resize(size, filter_)
            shown.paste(small, ((_SIDE - size[0]) // 2, (_SIDE - size[1]) // 2))
        sheet.paste(shown, (place * (_SIDE + 4), 0))
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=85)
    return base64.b64encode(stream.getvalue()).decode()


def _seen(value: str | bytes, max_megapixels: float) -> Image.Image | None:
    """What a damaged file shows: the part before the damage, or nothing."""
    try:
        data, _ = encode.content(value, "", "")
        found = open_picture(data)
        if found.width * found.height > max_megapixels * 1e6:
            return None
        with suppress(Exception):
            found.load()
        found.tile = []  # Nothing is left to decode: what came before the damage is kept, the rest is black.
        return found if found.mode in ("L", "P", "1") else found.convert("RGB")
    except Exception:  # Pillow's decoders raise almost anything on damaged bytes.
        return None


def _coloured(mask: Image.Image, meaning: masks.Meaning) -> Image.Image:
    """Classes from dark to light, ignored values grey, values without a meaning red; colours as they are."""
    if meaning.class_colors or mask.mode in ("RGB", "RGBA"):
        return mask
    try:
        values = np.asarray(masks.stored_values(mask))
    except (ValueError, OSError):
        return mask
    table = np.full((256, 3), _UNKNOWN, np.uint8)
    table[list(meaning.ignore_values)] = _IGNORED
    lightest = max(1, len(meaning.class_values) - 1)
    for class_id, value in enumerate(meaning.class_values):
        table[value] = 20 + 215 * class_id // lightest
    return Image.fromarray(table[values])
