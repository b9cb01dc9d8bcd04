"""Whatever the bytes: a picture is stored so that TensorFlow reads it, or refused in a sentence that names it."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from segpipe.ingest.masks import Meaning
from segpipe.ingest.picture import BadPictureError, check
from tests.pictures import encoded, image, mask

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM")
IMAGES = {name: encoded(image(), name) for name in FORMATS}
MASK = encoded(mask())
EDITS = st.lists(
    st.tuples(st.sampled_from(["set", "cut", "insert", "drop"]), st.integers(0, 2**16), st.integers(0, 255)),
    min_size=1,
    max_size=4,
)
"""What happens to the bytes: what, where (modulo their number), and the byte."""

_fuzz = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def edited(data: bytes, edits: list[tuple[str, int, int]]) -> bytes:
    spoilt = bytearray(data)
    for what, place, byte in edits:
        position = place % max(1, len(spoilt))
        if what == "set" and spoilt:
            spoilt[position] = byte
        elif what == "cut":
            del spoilt[position:]
        elif what == "insert":
            spoilt[position:position] = bytes([byte]) * (1 + byte % 4)
        elif what == "drop":
            del spoilt[position : position + 1 + byte % 4]
    return bytes(spoilt)


def stored_or_refused(picture: bytes, truth: bytes) -> None:
    try:
        checked = check(picture, truth, Meaning((0, 1)), 1.0, "a.jpg", "a.png")
    except BadPictureError as refused:
        sentence = str(refused)
        assert "a.jpg" in sentence or "a.png" in sentence
        assert "\n" not in sentence
        assert sentence.endswith(".")
        return
    shape = (checked.height, checked.width)
    assert tf.io.decode_image(checked.image, channels=3, expand_animations=False).shape == (*shape, 3)
    ids = tf.io.decode_png(checked.mask).numpy()
    assert ids.shape == (*shape, 1)
    assert set(np.unique(ids)) <= {0, 1, 255}
    assert sum(checked.class_fraction) == pytest.approx(1)


@pytest.mark.parametrize("image_format", FORMATS)
@_fuzz
@given(edits=EDITS)
@example(edits=[("insert", 3600, 255)])  # A JPEG's marker that takes the pixels behind it for its own bytes.
@example(edits=[("drop", 16949, 0)])  # A JPEG without its end.
def test_spoilt_images(image_format, edits):
    stored_or_refused(edited(IMAGES[image_format], edits), MASK)


@_fuzz
@given(edits=EDITS)
def test_spoilt_masks(edits):
    stored_or_refused(IMAGES["JPEG"], edited(MASK, edits))


@_fuzz
@given(st.binary(max_size=400))
def test_bytes_that_were_never_a_picture(garbage):
    stored_or_refused(garbage, MASK)
    stored_or_refused(IMAGES["PNG"], garbage)
