"""The contact sheet shows what can be seen of a picture that cannot be used."""

import base64
import io

import numpy as np
from PIL import Image

from segpipe.ingest import bad_picture
from segpipe.ingest.masks import Meaning
from tests.pictures import encoded, image, mask

BINARY = Meaning((0, 1), (255,))


def _shown(picture: bytes | str, truth: bytes | np.ndarray, **keys: float) -> tuple[np.ndarray, np.ndarray]:
    """The two halves of the tile, uint8 [144, 144, 3]."""
    found = bad_picture.of_content("p", "Bad.", picture, truth, BINARY, **keys)
    with Image.open(io.BytesIO(base64.b64decode(found.tile))) as tile:
        pixels = np.asarray(tile).astype(int)
    return pixels[:, :144], pixels[:, 148:]


def _is(pixels: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixels.mean(axis=(0, 1)) - colour).max() < 12)


def test_a_truncated_jpeg_is_shown_up_to_where_it_ends():
    white = encoded(Image.effect_noise((400, 400), 90).convert("RGB"), "JPEG", quality=95)
    picture, _ = _shown(white[: len(white) // 2], encoded(mask()))
    assert picture[5:40].std() > 10
    assert picture[-20:].std() < 3


def test_values_that_are_no_class_are_red_and_ignored_ones_blue():
    _, truth = _shown(encoded(image()), np.array([[0, 1], [9, 255]], np.uint8))
    assert _is(truth[:60, :60], (20, 20, 20))
    assert _is(truth[:60, 84:], (235, 235, 235))
    assert _is(truth[84:, :60], (213, 0, 0))
    assert _is(truth[84:, 84:], (70, 90, 140))


def test_what_cannot_be_read_is_grey_and_a_bomb_is_not_opened():
    grey = (228, 228, 228)
    assert _is(_shown(b"no picture", encoded(mask()))[0], grey)
    assert _is(_shown("/nowhere.jpg", encoded(mask()))[0], grey)
    assert _is(_shown(encoded(image(size=(200, 200))), encoded(mask()), max_megapixels=0.01)[0], grey)


def test_where_nothing_can_be_seen_there_is_no_tile():
    assert bad_picture.of_content("p", "Bad.", b"", b"", BINARY).tile == ""
