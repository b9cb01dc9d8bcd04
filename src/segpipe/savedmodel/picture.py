"""Accepts an encoded picture from outside: turns it into bytes that the model's graph decodes, or says why not."""

from dataclasses import dataclass

from segpipe.ingest import picture
from segpipe.savedmodel.request_error import TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, RequestError


@dataclass(frozen=True)
class Accepted:
    """A picture that may enter a batch.

    Attributes:
      encoded: JPEG or PNG, 8 bit, RGB or grey, upright.
      pixels: width times height.
    """

    encoded: bytes
    pixels: int


def accept(data: bytes, max_megapixels: float, name: str, taker: str = "this server") -> Accepted:
    """Checks one encoded picture by its header, and stores again as PNG what the graph would misread.

    Ingest does the same to training pictures, so a phone's turned JPEG or a TIFF reaches the model as it was trained.

    Args:
      data: the encoded picture.
      max_megapixels: larger pictures are refused before any memory is asked for their pixels.
      name: how the error calls it, as in "instance 0".
      taker: whose limit `max_megapixels` is, for the error.

    Raises:
      RequestError: 415 if it is no picture, 413 if it is too large, 400 if it is damaged.
    """
    try:
        opened = picture.open_picture(data)
    except Exception:  # Pillow's parsers raise almost anything on damaged headers.
        raise RequestError(
            f"{name} is not a picture ({len(data)} bytes); send the bytes of a JPEG or PNG file.",
            UNSUPPORTED_MEDIA_TYPE,
        ) from None
    pixels = opened.width * opened.height
    if pixels > max_megapixels * 1e6:
        raise RequestError(
            f"{name} has {pixels / 1e6:,.0f} megapixels ({opened.width}×{opened.height}); "
            f"{taker} takes {max_megapixels:g}. Send a smaller picture.",
            TOO_LARGE,
        )
    try:
        if opened.format not in ("JPEG", "MPO"):
            opened.load()  # Only a JPEG tells how it is turned before its pixels.
        if picture.is_storable(opened):
            return Accepted(data, pixels)
        return Accepted(picture.png(picture.to_8_bit(picture.upright(opened))), pixels)
    except Exception as error:
        raise RequestError(f"{name} is damaged: {error}.") from None
