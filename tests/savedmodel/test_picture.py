"""Pictures from outside reach the decoders of a short list of formats, whatever they are called."""

import ast
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

import segpipe
from segpipe.ingest import bad_picture
from segpipe.ingest import picture as ingest_picture
from segpipe.ingest.masks import Meaning
from segpipe.ingest.sources.folder import PICTURE_SUFFIXES
from segpipe.predict import files
from segpipe.predict.listing import Listed
from segpipe.publish.space.templates import predictor as template
from segpipe.savedmodel.picture import accept
from segpipe.savedmodel.request_error import RequestError

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.fixture
def interpreted(monkeypatch) -> list[bytes]:
    """What reached Ghostscript; each call gives a picture, as an installed one does."""
    seen: list[bytes] = []

    def ghostscript(tile, size, stream, *_, **__):
        seen.append(stream.read())
        return Image.new("RGB", size).im

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", ghostscript)
    return seen


@pytest.fixture
def eps(tmp_path) -> Path:
    path = tmp_path / "x.png"
    path.write_bytes(EPS)
    return path


def test_pillow_by_itself_would_run_the_program_in_the_file(eps, interpreted):
    with Image.open(eps) as opened:
        opened.load()
    assert interpreted


def test_ingest_refuses_it(interpreted):
    with pytest.raises(ingest_picture.BadPictureError, match=r"x\.png cannot be read .* its format is not known"):
        ingest_picture.load(EPS, "x.png", 1)
    assert not interpreted


def test_predict_refuses_it(eps, interpreted):
    with pytest.raises(RequestError, match=r"x\.png is not a picture"):
        files.read_picture(Listed(str(eps), "x", 0), 1)
    assert not interpreted


def test_the_server_refuses_it(interpreted):
    with pytest.raises(RequestError, match="instance 0 is not a picture") as refused:
        accept(EPS, 1, "instance 0")
    assert refused.value.status == 415
    assert not interpreted


def test_the_tile_of_a_bad_picture_shows_nothing_of_it(eps, interpreted):
    meaning = Meaning((0, 1))
    offender = bad_picture.of_content("x", "x.png is bad.", str(eps), str(eps), meaning)
    assert offender.tile == ""
    assert not interpreted


def test_the_space_refuses_it(interpreted):
    with pytest.raises(template.BadPictureError, match="no picture that can be read"):
        template._readable(EPS)
    assert not interpreted


def test_the_space_has_the_same_list():
    assert template.FORMATS == ingest_picture.FORMATS


def test_each_suffix_that_ingest_knows_is_one_of_a_format_on_the_list():
    Image.init()
    assert {Image.EXTENSION[suffix] for suffix in PICTURE_SUFFIXES} <= set(ingest_picture.FORMATS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF", "DIB", "TGA"])
def test_each_format_on_the_list_is_accepted(kind):
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 10, 3), 90, np.uint8)).save(stream, kind)
    accepted = accept(stream.getvalue(), 1, "it")
    assert accepted.pixels == 80
    with Image.open(io.BytesIO(accepted.encoded)) as decoded:
        assert (decoded.format in ("JPEG", "PNG"), decoded.size) == (True, (10, 8))


def test_no_picture_is_opened_without_the_list():
    for file in Path(segpipe.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Image.open"):
                assert "formats" in {keyword.arg for keyword in node.keywords}, f"{file}:{node.lineno}"
