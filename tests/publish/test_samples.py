import io
from pathlib import Path

import numpy as np
from PIL import Image

from segpipe.publish.assemble import assemble
from segpipe.publish.files import File
from segpipe.publish.samples import GAP_PX, PANEL_HEIGHT_PX, Picture, examples, panels
from tests import shapes


def drawn(kind: str) -> tuple[Picture, Image.Image]:
    image, mask = shapes.draw(np.random.default_rng(3), 64, 64)
    buffers = io.BytesIO(), io.BytesIO()
    image.save(buffers[0], kind)
    mask.save(buffers[1], "PNG")
    return Picture(buffers[0].getvalue(), buffers[1].getvalue()), image


def test_a_panel_shows_picture_truth_and_prediction(saved_model: Path):
    picture, image = drawn("PNG")
    [panel] = panels(saved_model, [picture])
    pixels = np.asarray(Image.open(io.BytesIO(panel.read())))
    assert pixels.shape == (PANEL_HEIGHT_PX, 3 * PANEL_HEIGHT_PX + 2 * GAP_PX, 3)
    left, truth, found = (
        pixels[:, start : start + PANEL_HEIGHT_PX].astype(int)
        for start in range(0, pixels.shape[1], PANEL_HEIGHT_PX + GAP_PX)
    )
    np.testing.assert_array_equal(left, np.asarray(image.resize((PANEL_HEIGHT_PX, PANEL_HEIGHT_PX))))
    assert np.abs(truth - found).mean() < 2  # the model finds the shapes, but for their borders
    assert np.abs(truth - left).mean() > 20


def test_the_card_shows_them_and_the_demo_offers_them(saved_model: Path):
    pictures = [drawn("PNG")[0], drawn("JPEG")[0]]
    plan = assemble(saved_model, 1764000000, "me/shapes", {}, extra=panels(saved_model, pictures))
    [card] = [file.read().decode() for file in plan.files if file.path == "README.md"]
    assert "](pictures/1.png)" in card
    assert "](pictures/2.png)" in card
    assert examples(pictures) == (File("1.png", pictures[0].image), File("2.jpg", pictures[1].image))
