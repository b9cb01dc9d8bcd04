"""One picture of a request in, bytes that the model's graph decodes out: bombs stop at their header, undecoded."""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from segpipe.ingest import picture
from segpipe.serve.http_errors import TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, RequestError

_DECODED_BY_THE_GRAPH = {("JPEG", "RGB"), ("JPEG", "L"), ("MPO", "RGB"), ("PNG", "RGB"), ("PNG", "L")}
"""Formats and modes that TensorFlow decodes to the same 8-bit RGB as Pillow; all others are stored anew as PNG."""

_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "PPM")
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class Accepted:
    """A picture that may enter a batch.

    Attributes:
      encoded: JPEG or PNG, 8 bit, RGB or grey, upright.
      pixels: width times height.
    """

    encoded: bytes
    pixels: int


def accept(data: bytes, max_megapixels: float, name: str) -> Accepted:
    """Checks one encoded picture by its header and brings what the graph would misread into the stored form.

    Ingest does the same to training pictures, so a phone's turned JPEG or a TIFF reaches the model as it was trained.

    Args:
      data: the encoded picture.
      max_megapixels: larger pictures are refused before any memory is asked for their pixels.
      name: how the error calls it, as in "instance 0".

    Raises:
      RequestError: 415 where it is no picture, 413 where it is too large, 400 where it is damaged.
    """
    Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is one for the whole process; ours comes with the request.
    try:
        opened = Image.open(io.BytesIO(data), formats=_FORMATS)
    except Exception:  # Pillow's parsers raise almost anything on damaged headers.
        raise RequestError(
            f"{name} is not a picture ({len(data)} bytes); send the bytes of a JPEG or PNG file.",
            UNSUPPORTED_MEDIA_TYPE,
        ) from None
    pixels = opened.width * opened.height
    if pixels > max_megapixels * 1e6:
        raise RequestError(
            f"{name} has {pixels / 1e6:,.0f} megapixels ({opened.width}×{opened.height}); "
            f"this server takes {max_megapixels:g}. Send a smaller picture.",
            TOO_LARGE,
        )
    try:
        turned = opened.getexif().get(_ORIENTATION_TAG, 1) not in (0, 1)
        plain = (opened.format, opened.mode) in _DECODED_BY_THE_GRAPH and "transparency" not in opened.info
        if plain and not turned:
            return Accepted(data, pixels)
        return Accepted(picture.png(picture.to_8_bit(ImageOps.exif_transpose(opened))), pixels)
    except Exception as error:
        raise RequestError(f"{name} is damaged: {error}.") from None
