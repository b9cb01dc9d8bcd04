import csv
import io
import json
from http import HTTPStatus

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from segpipe.errors import UserError
from segpipe.predict import files
from segpipe.predict.listing import Listed, listing
from segpipe.progress import listening
from segpipe.savedmodel.load import load
from tests.serve import server_model
from tests.serve.server_model import BLUE, GREEN, RED, halves, picture
from tests.servers import web


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(server_model.save(tmp_path_factory.mktemp("m"), 1), 1)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    (folder / "a.png").write_bytes(halves(RED, BLUE))
    (folder / "more" / "b.jpg").write_bytes(picture(GREEN, (30, 50), "JPEG"))
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("left alone")
    return folder


def test_every_format_of_a_folder_and_an_account_of_what_failed(model, pictures, tmp_path):
    out, seen = tmp_path / "out", []
    with listening(lambda progress: seen.append((progress.done, progress.total))):
        account = files.predict(
            model, listing([str(pictures)]), str(out), ["masks", "overlays", "coco", "polygons"], max_megapixels=1
        )
    assert account.done == 2
    assert account.failed == [f"{pictures}/bad.png is not a picture (10 bytes); send the bytes of a JPEG or PNG file."]
    assert (out / "failed.txt").read_text() == account.failed[0] + "\n"
    assert seen == [(1, 3), (2, 3), (3, 3)]

    mask = np.asarray(Image.open(out / "masks" / "a.png"))
    np.testing.assert_array_equal(mask, np.repeat([[0] * 32 + [2] * 32], 32, axis=0))
    assert Image.open(out / "overlays" / "more" / "b.jpg").size == (30, 50)

    rows = list(csv.DictReader(io.StringIO((out / "classes.csv").read_text())))
    assert [(row["id"], row["red"], row["green"], row["blue"]) for row in rows] == [
        ("a", "0.500000", "0.000000", "0.500000"),
        ("more/b", "0.000000", "1.000000", "0.000000"),
    ]

    coco = COCO(str(out / "coco.json"))
    [red] = coco.loadAnns(coco.getAnnIds(imgIds=[0], catIds=[0]))
    np.testing.assert_array_equal(coco.annToMask(red), mask == 0)
    assert (red["area"], red["bbox"]) == (32 * 32, [0, 0, 32, 32])

    features = json.loads((out / "polygons.geojson").read_text())["features"]
    assert [(one["properties"]["id"], one["properties"]["class"]) for one in features] == [
        ("a", "red"),
        ("a", "blue"),
        ("more/b", "green"),
    ]
    assert features[1]["geometry"]["coordinates"] == [[[[32, 0], [64, 0], [64, 32], [32, 32], [32, 0]]]]


def test_no_picture_at_all_leaves_valid_files(model, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"x")
    files.predict(model, listing([str(bad)]), str(tmp_path / "o"), ["coco", "polygons"], max_megapixels=1)
    assert json.loads((tmp_path / "o" / "coco.json").read_text())["images"] == []
    assert json.loads((tmp_path / "o" / "polygons.geojson").read_text())["features"] == []
    assert (tmp_path / "o" / "classes.csv").read_text() == "id,height,width,confidence,red,green,blue\n"


def test_an_unknown_format_is_the_users_error(model, tmp_path):
    with pytest.raises(UserError, match="there is no format 'svg'; there are masks, overlays, coco, polygons"):
        files.predict(model, [], str(tmp_path), ["svg"], max_megapixels=1)


def test_a_picture_that_a_web_server_refuses_is_listed_as_failed_without_its_signature(model, tmp_path):
    with web.answering(HTTPStatus.FORBIDDEN) as address:
        listed = Listed(f"{address}/a.jpg?signature=secret", "a", 0)
        account = files.predict(model, [listed], str(tmp_path), ["masks"], max_megapixels=1)
    assert account.failed == [f"{address}/a.jpg cannot be read: the server answers 403 Forbidden."]


def test_memory_urls_work_as_folders_do(model):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/in/x.png", picture(BLUE))
    account = files.predict(model, listing(["memory://in"]), "memory://out", ["masks"], max_megapixels=1)
    assert account.failed == []
    assert memory.cat_file("/out/classes.csv").endswith(b"0.000000,0.000000,1.000000\n")
    assert memory.exists("/out/masks/x.png")
