"""Every way in which a picture or its mask can be wrong or odd, one by one."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from segpipe.ingest.masks import Meaning
from segpipe.ingest.picture import BadPictureError, check
from tests.pictures import encoded, image, mask

BINARY = Meaning((0, 1))


def _check(picture: bytes, truth: bytes | np.ndarray | None = None, meaning: Meaning = BINARY, megapixels: float = 100):
    return check(picture, encoded(mask()) if truth is None else truth, meaning, megapixels, "a.jpg", "a.png")


def _pixels(stored: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(stored)))


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_plain_jpeg_and_png_pass_byte_for_byte(image_format, mode):
    data, truth = encoded(image().convert(mode), image_format), encoded(mask())
    checked = _check(data, truth)
    assert checked.image == data
    assert checked.mask == truth
    assert (checked.height, checked.width) == (16, 24)
    assert checked.class_fraction == (0.5, 0.5)


@pytest.mark.parametrize(
    "how",
    [{"progressive": True}, {"restart_marker_blocks": 1}, {"restart_marker_rows": 1, "progressive": True},
     {"optimize": True, "subsampling": 0}, {"comment": b"\xff\xd8\xff\xe0\xff\xd9"}],
)  # fmt: skip
@pytest.mark.parametrize("behind", [b"", b"\xff\xe1\xff\xff trailing bytes"])
def test_a_jpeg_of_any_kind_passes_byte_for_byte(how, behind):
    stream = io.BytesIO()
    Image.effect_noise((24, 16), 90).convert("RGB").save(stream, "JPEG", **how)
    data = stream.getvalue() + behind
    assert check(data, np.zeros((16, 24), np.uint8), Meaning((0, 1)), 1.0).image == data


@pytest.mark.parametrize("image_format", ["BMP", "TIFF", "WEBP", "PPM"])
def test_other_formats_become_png_with_the_same_pixels(image_format):
    options = {"lossless": True} if image_format == "WEBP" else {}
    checked = _check(encoded(image(), image_format, **options))
    assert checked.image.startswith(b"\x89PNG")
    assert np.array_equal(_pixels(checked.image), np.asarray(image()))


def test_cmyk_becomes_rgb():
    assert _pixels(_check(encoded(image().convert("CMYK"), "JPEG")).image).shape == (16, 24, 3)


def test_16_bit_grey_is_scaled_and_not_cut():
    values = np.linspace(0, 65535, 16 * 24).reshape(16, 24).astype(np.uint16)
    stored = _pixels(_check(encoded(Image.fromarray(values))).image)
    assert stored.dtype == np.uint8
    assert np.array_equal(stored, values >> 8)


def test_transparent_pixels_become_black_and_opaque_ones_stay():
    picture = image().convert("RGBA")
    alpha = Image.new("L", picture.size, 255)
    alpha.paste(0, (0, 0, 12, 16))
    picture.putalpha(alpha)
    stored = _pixels(_check(encoded(picture)).image)
    assert not stored[:, :12].any()
    assert np.array_equal(stored[:, 12:], np.asarray(image())[:, 12:])


def test_palette_images_become_their_colours():
    picture = image().quantize(8)
    assert np.array_equal(_pixels(_check(encoded(picture)).image), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_rotation_is_baked_in_and_the_mask_drawn_upright_still_matches(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded(image(), "PNG", exif=exif))))
    checked = _check(encoded(image(), "PNG", exif=exif), encoded(mask(upright.size)))
    assert np.array_equal(_pixels(checked.image), np.asarray(upright))
    assert np.array_equal(_pixels(checked.mask), np.asarray(mask(upright.size)))
    assert "exif" not in Image.open(io.BytesIO(checked.image)).info


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_with_its_own_orientation_is_turned_by_it(image_format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.zeros((16, 24), np.uint8)
    stored[2:5, 4:20], stored[5:12, 4] = 1, 1  # No turn and no flip leaves it as it is.
    wanted = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.T,
        6: stored[::-1].T,
        7: stored[::-1, ::-1].T,
        8: stored[:, ::-1].T,
    }[orientation]
    options = {"lossless": True} if image_format == "WEBP" else {}
    checked = _check(encoded(image(), image_format, exif=exif, **options), encoded(Image.fromarray(stored), exif=exif))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(checked.mask))), wanted)
    assert (checked.height, checked.width) == wanted.shape


def test_an_orientation_in_xmp_alone_turns_nothing():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    data = encoded(image(), "JPEG", xmp=xmp)
    assert _check(data, encoded(mask())).image == data


@pytest.mark.parametrize("chunk", [b"not a tiff header", b"", b"II*\0\xff\xff\xff\xff", b"MM"])
def test_damaged_exif_does_no_harm(chunk):
    data = encoded(image(), "PNG")
    exif = struct.pack(">I", len(chunk)) + b"eXIf" + chunk + struct.pack(">I", zlib.crc32(b"eXIf" + chunk))
    damaged = data[:33] + exif + data[33:]
    assert _check(damaged, encoded(mask())).image == damaged


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_drawn_on_the_unturned_pixels_is_turned_along(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    truth = mask()
    picture = Image.merge("RGB", [truth.point(lambda value: value * 200)] * 3)
    checked = _check(encoded(picture, "PNG", exif=exif), encoded(truth))
    assert np.array_equal(_pixels(checked.image)[..., 0] // 200, _pixels(checked.mask))
    assert checked.width == 16


def test_masks_can_be_arrays():
    assert np.array_equal(_pixels(_check(encoded(image()), np.asarray(mask())).mask), np.asarray(mask()))


def test_a_palette_mask_and_a_grey_mask_store_the_same():
    palette = mask().convert("P")
    palette.putdata(list(mask().getdata()))
    assert np.array_equal(
        _pixels(_check(encoded(image()), encoded(palette)).mask),
        _pixels(_check(encoded(image()), encoded(mask())).mask),
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"a\.jpg is empty"),
        (b"not a picture at all", r"a\.jpg cannot be read as a picture: its format is not known"),
        (encoded(image(size=(200, 200)), "JPEG")[:-900], r"a\.jpg cannot be read as a picture: .*truncated"),
        (encoded(image())[:-30], r"a\.jpg cannot be read as a picture: .*truncated"),
    ],
    ids=["empty", "text", "truncated-jpeg", "truncated-png"],
)
def test_unreadable_images_are_named(data, reason):
    with pytest.raises(BadPictureError, match=reason):
        _check(data)


@pytest.mark.parametrize("chunk", [b"IHDR", b"IDAT", b"IEND"])
def test_a_png_with_a_wrong_checksum_is_refused(chunk):
    data = bytearray(encoded(image()))
    start = data.index(chunk)
    (length,) = struct.unpack_from(">I", data, start - 4)
    data[start + 4 + length] ^= 1
    with pytest.raises(BadPictureError, match="cannot be read as a picture"):
        _check(bytes(data))


def test_an_animated_gif_named_jpg_is_refused():
    stream = io.BytesIO()
    image(0).save(stream, "GIF", save_all=True, append_images=[image(1), image(2)])
    with pytest.raises(BadPictureError, match=r"a\.jpg is an animation or a stack of 3 frames"):
        _check(stream.getvalue())


def test_a_still_gif_named_jpg_is_a_picture():
    assert _pixels(_check(encoded(image(), "GIF")).image).shape == (16, 24, 3)


def test_a_decompression_bomb_is_refused_by_its_header_with_flat_memory():
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100_000)), (b"IEND", b""))
    )
    tracemalloc.start()
    with pytest.raises(BadPictureError, match=r"2,500 megapixels \(50000×50000\); source\.max_megapixels allows 100"):
        _check(b"\x89PNG\r\n\x1a\n" + chunks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_sizes_that_differ_are_told():
    with pytest.raises(BadPictureError, match=r"a\.png is 10×16 pixels and its image a\.jpg 24×16"):
        _check(encoded(image()), encoded(mask((10, 16))))


def test_a_mask_value_outside_the_classes_is_told_with_file_and_share():
    with pytest.raises(BadPictureError, match=r"^a\.png holds value 7 in 50\.0% of its pixels"):
        _check(encoded(image()), encoded(mask(values=(0, 7))))


def test_a_jpeg_mask_gets_a_hint():
    blurred = encoded(mask(values=(0, 200)), "JPEG", quality=50)
    with pytest.raises(BadPictureError, match="JPEG blurs masks, store them as PNG"):
        _check(encoded(image()), blurred, Meaning((0, 200)))


def test_a_mask_that_is_all_ignored_is_refused():
    with pytest.raises(BadPictureError, match=r"a\.png has no pixel of any class"):
        _check(encoded(image()), encoded(mask(values=(255,))), Meaning((0, 1), (255,)))
