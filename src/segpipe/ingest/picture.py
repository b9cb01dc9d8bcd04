"""Encoded image and mask in, both checked and in the form that the data contract stores, or one sentence why not."""

import io
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

from segpipe.errors import DataError
from segpipe.ingest import masks, statistics

_PASSED_THROUGH = {("JPEG", "RGB"), ("JPEG", "L"), ("MPO", "RGB"), ("PNG", "RGB"), ("PNG", "L")}
"""Formats and modes that TensorFlow decodes to the same 8-bit RGB as Pillow; all others are stored anew as PNG."""

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF", "DIB", "TGA")
"""Pillow's names of the formats that are read, those of `sources.folder.PICTURE_SUFFIXES`. No other decoder is reached,
whatever a file is called: an EPS, for one, would start Ghostscript."""

_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture of each EXIF orientation upright."""

_TURNED_BY_90 = (5, 6, 7, 8)
"""EXIF orientations that swap width and height: there the mask's size tells whether it was drawn on the upright
picture, as viewers show it, or on the pixels as they are stored. Elsewhere it is taken to be drawn upright."""


class BadPictureError(DataError):
    """One picture or mask that cannot be used; the message is one sentence that names the file."""

    def __init__(self, sentence: str) -> None:
        # A file name need not be UTF-8; the sentence must be, to be printed and stored.
        super().__init__(sentence.encode("utf-8", "backslashreplace").decode())


@dataclass(frozen=True)
class Checked:
    """A picture as the data contract stores it.

    Attributes:
      image: JPEG or PNG, 8 bit, RGB or grey, upright.
      mask: PNG, one 8-bit channel of class ids and 255.
      height: of the image, in pixels.
      width: of the image, in pixels.
      statistics: by feature name, see `segpipe.ingest.statistics`.
      class_fraction: share of the judged pixels per class id.
    """

    image: bytes
    mask: bytes
    height: int
    width: int
    statistics: dict[str, float]
    class_fraction: tuple[float, ...]


def check(
    image: bytes,
    mask: bytes | np.ndarray,
    meaning: masks.Meaning,
    max_megapixels: float,
    image_name: str = "image",
    mask_name: str = "mask",
) -> Checked:
    """Decodes a picture and its mask once, checks that they fit, and returns what is to be stored.

    Args:
      image: the encoded image, in one of `FORMATS`.
      mask: the encoded mask, or class values as uint8 [H, W].
      meaning: which mask value is which class.
      max_megapixels: pictures above this are refused by their header, before any memory is asked for their pixels.
      image_name: how errors call the image; its path, as a rule.
      mask_name: how errors call the mask.

    Raises:
      BadPictureError: unreadable, truncated, animated, too large, of two sizes, or a mask value that means nothing.
    """
    picture = load(image, image_name, max_megapixels)
    truth = Image.fromarray(mask) if isinstance(mask, np.ndarray) else load(mask, mask_name, max_megapixels)
    stored, upright, truth = _normalise(image, picture, truth)
    if truth.size != upright.size:
        raise BadPictureError(
            f"{mask_name} is {truth.width}×{truth.height} pixels and its image {image_name} "
            f"{upright.width}×{upright.height}; they must be the same size."
        )
    try:
        ids = masks.class_ids(truth, meaning)
    except ValueError as error:
        raise BadPictureError(f"{mask_name} {error}") from None
    judged = sum(ids.counts)
    if judged == 0:
        raise BadPictureError(f"{mask_name} has no pixel of any class, all are ignored; leave the picture out.")
    return Checked(
        image=stored,
        mask=mask if isinstance(mask, bytes) and ids.as_stored and truth.format == "PNG" else png(ids.image),
        height=upright.height,
        width=upright.width,
        statistics=statistics.of(upright),
        class_fraction=tuple(count / judged for count in ids.counts),
    )


def open_picture(source: bytes | str | Path) -> ImageFile.ImageFile:
    """Opens a picture, encoded or as a local file, if it is in one of `FORMATS`; no pixel is decoded yet.

    Raises:
      Exception: almost any; Pillow's parsers are not particular. UnidentifiedImageError for other formats.
    """
    Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is one for the whole process; ours come with config or request.
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)


def load(data: bytes, name: str, max_megapixels: float) -> Image.Image:
    """Decodes one picture completely.

    Raises:
      BadPictureError: empty, too large by its header, animated, truncated or damaged.
    """
    if not data:
        raise BadPictureError(f"{name} is empty (0 bytes).")
    try:
        picture = open_picture(data)
        megapixels = picture.width * picture.height / 1e6
        if megapixels > max_megapixels:
            raise BadPictureError(
                f"{name} has {megapixels:,.0f} megapixels ({picture.width}×{picture.height}); "
                f"source.max_megapixels allows {max_megapixels:g}."
            )
        frames = getattr(picture, "n_frames", 1)
        if frames > 1 and picture.format != "MPO":  # A phone's MPO is a JPEG with its depth map behind it.
            raise BadPictureError(f"{name} is an animation or a stack of {frames} frames; one picture is expected.")
        if picture.format == "PNG":
            _check_png(data)
        picture.load()
        if picture.format in ("JPEG", "MPO"):
            _check_jpeg(data)
    except BadPictureError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on damaged bytes.
        raise BadPictureError(f"{name} cannot be read as a picture: {_reason(error, name)}.") from None
    return picture


def size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height of a picture as it is stored, from its header.

    Raises:
      BadPictureError: it is no picture.
    """
    try:
        with open_picture(data) as picture:
            return picture.size
    except Exception as error:  # Pillow's parsers raise almost anything on damaged headers.
        raise BadPictureError(f"{name} cannot be read as a picture: {_reason(error, name)}.") from None


def png(picture: Image.Image) -> bytes:
    """Encodes a picture as PNG; the same pixels always give the same bytes."""
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def is_storable(picture: Image.Image) -> bool:
    """Whether TensorFlow decodes the file of a decoded picture to the same upright, 8-bit pixels as Pillow."""
    plain = (picture.format, picture.mode) in _PASSED_THROUGH and "transparency" not in picture.info
    return plain and orientation(picture) == 1


def storable(data: bytes, picture: Image.Image) -> tuple[bytes, Image.Image]:
    """What the data contract stores of a decoded picture, and the picture upright, RGB or grey, 8 bit."""
    if is_storable(picture):
        return data, picture
    turned = to_8_bit(upright(picture))
    return png(turned), turned


def orientation(picture: Image.Image) -> int:
    """The EXIF orientation of a decoded picture, 1…8; 1 (upright) if it has none or a damaged one.

    XMP is not asked: viewers differ on it. Pillow turns a TIFF while decoding, so that it is upright here.
    """
    exif = Image.Exif()
    try:
        exif.load(picture.info.get("exif") or b"")
        tag = exif.get(_ORIENTATION_TAG, 1)
    except Exception:  # Pillow's parser raises almost anything on damaged EXIF.
        return 1
    return tag if tag in _TURNS else 1


def upright(picture: Image.Image) -> Image.Image:
    """The decoded picture as its EXIF orientation wants it shown."""
    turn = _TURNS.get(orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def _normalise(data: bytes, picture: Image.Image, truth: Image.Image) -> tuple[bytes, Image.Image, Image.Image]:
    """Image bytes to store, the upright image as RGB or L, and the mask upright.

    A mask with an orientation of its own is turned by it; one without is turned along with its image if it was drawn
    on the pixels as they are stored.
    """
    turn = orientation(picture)
    if orientation(truth) != 1:
        truth = upright(truth)
    elif turn in _TURNED_BY_90 and truth.size == picture.size and picture.width != picture.height:
        truth = truth.transpose(_TURNS[turn])
    return *storable(data, picture), truth


def to_8_bit(picture: Image.Image) -> Image.Image:
    """Any mode to RGB or L; 16-bit is scaled to 8, transparent pixels are laid on black."""
    if picture.mode.startswith("I"):
        values = np.asarray(picture).astype(np.int64)
        # Pillow opens 16-bit grey as I;16 or I, always with 0…65535; the high byte is what libpng keeps, too.
        return Image.fromarray(np.clip(values >> 8 if values.max(initial=0) > 255 else values, 0, 255).astype(np.uint8))
    if picture.mode == "F":
        values = np.nan_to_num(np.asarray(picture))
        return Image.fromarray(np.clip(values * (255 if values.max(initial=0) <= 1 else 1), 0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, picture).convert("RGB")
    return picture.convert("L" if picture.mode in ("L", "1") else "RGB")


def _check_png(data: bytes) -> None:
    """Checks every chunk's CRC; Pillow skips those of the pixel data, on which TensorFlow would stop later."""
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(data[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise ValueError(f"wrong checksum in PNG chunk {kind.decode('latin-1')}")
        if kind == b"IEND":
            return
        position = end + 4
    raise ValueError("the PNG file is truncated")


_START_OF_SCAN, _END = 0xDA, 0xD9
_STANDALONE = {0x01, 0xD8, *range(0xD0, 0xD8)}
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_MARKER_AFTER_PIXELS = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def _check_jpeg(data: bytes) -> None:
    """Walks from marker to marker to the end of the picture; where there is none, Pillow goes on, TensorFlow stops."""
    position, marker = 0, _MARKER
    while (found := marker.search(data, position)) is not None:
        code, position = found[0][1], found.end()
        if code == _END:
            return
        marker = _MARKER_AFTER_PIXELS if code == _START_OF_SCAN else _MARKER
        if code not in _STANDALONE:
            position += int.from_bytes(data[position : position + 2])
    raise ValueError("the JPEG file is damaged, or ends before the picture does")


def _reason(error: Exception, name: str) -> str:
    """The decoder's own words without a memory address, or the error's kind where it says nothing."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "its format is not known"
    text = " ".join(str(error).split()).rstrip(".")
    return text if text and name not in text else type(error).__name__
