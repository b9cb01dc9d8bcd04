import csv
import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from segpipe.pipeline.components import predict_with_beam
from segpipe.predict import files
from segpipe.predict.listing import listing
from segpipe.savedmodel.load import load
from tests import forked
from tests.serve import server_model
from tests.serve.server_model import BLUE, GREEN, RED, halves, picture


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.png").write_bytes(halves(RED, (BLUE, GREEN)[number % 2]))
    (folder / "cut.jpg").write_bytes(picture(RED, (200, 200), "JPEG")[:300])
    (folder / "none.png").write_bytes(b"no picture")
    return folder


def test_beam_predicts_what_one_process_predicts(pictures, tmp_path):
    model = server_model.save(tmp_path, 1)
    listed = listing([str(pictures)])
    formats = ["masks", "coco", "polygons"]
    alone = files.predict(load(model, 1), listed, str(tmp_path / "alone"), formats, max_megapixels=1)
    shared = predict_with_beam.predict(str(model), listed, str(tmp_path / "shared"), formats, max_megapixels=1)
    assert shared.done == alone.done == 10
    assert len(shared.failed) == len(alone.failed) == 2
    assert any("none.png is not a picture" in sentence for sentence in shared.failed)

    for number in range(10):
        masks = [np.asarray(Image.open(tmp_path / name / "masks" / f"{number}.png")) for name in ("alone", "shared")]
        np.testing.assert_array_equal(*masks)

    def rows(name: str) -> list[dict]:
        found = [row for file in (tmp_path / name).glob("classes*.csv") for row in csv.DictReader(file.open())]
        return sorted(found, key=lambda row: row["id"])

    assert rows("shared") == rows("alone")
    lines = [
        line
        for file in (tmp_path / "shared").glob("coco.annotations-*.jsonl")
        for line in file.read_text().splitlines()
    ]
    theirs = json.loads((tmp_path / "alone" / "coco.json").read_text())["annotations"]
    assert sorted(map(json.loads, lines), key=lambda one: one["id"]) == sorted(theirs, key=lambda one: one["id"])


def test_the_command_reads_and_writes_a_bucket_by_beam(google, tmp_path):
    google.storage.make_bucket("pictures")
    google.storage.put("pictures", "in/red.png", picture(RED))
    google.storage.put("pictures", "in/more/green.jpg", picture(GREEN, kind="JPEG"))
    google.storage.put("pictures", "in/broken.png", b"no picture")
    model = server_model.save(tmp_path, 1)
    command = [
        sys.executable, "-m", "segpipe.cli.main", "predict", str(model), "gs://pictures/in", "-o", "gs://pictures/out",
        "--format", "masks", "--beam",
    ]  # fmt: skip
    done = forked.run(command, google.process_environment(), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "gs://pictures/out"
    assert "2 pictures, 1 failed" in done.stderr
    mask = np.asarray(Image.open(io.BytesIO(google.storage.get("pictures", "out/masks/more/green.png"))))
    assert set(np.unique(mask)) == {1}
    assert any(name.startswith("out/classes-") for name in google.storage.names("pictures"))
