"""Pictures on gs:// to predictions on gs://, against a real emulator of Google Cloud Storage on loopback."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from segpipe.io import files
from segpipe.predict import files as bulk
from segpipe.predict.listing import listing
from segpipe.savedmodel import card
from segpipe.savedmodel.find import Serving, find, find_serving
from segpipe.savedmodel.load import load, size_mb
from tests.io.test_object_store import bucket, storage  # noqa: F401 — fixtures
from tests.serve import server_model
from tests.serve.server_model import GREEN, RED, picture


@pytest.fixture
def pictures(storage, bucket):  # noqa: F811
    storage.put(bucket, "in/red.png", picture(RED))
    storage.put(bucket, "in/more/green.jpg", picture(GREEN, kind="JPEG"))
    storage.put(bucket, "in/broken.png", b"no picture")
    return f"gs://{bucket}/in"


def mask(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(files.read(url))))


@pytest.mark.parametrize("named", ["", "/**/*.*"])
def test_a_folder_or_a_glob_in_a_bucket_is_predicted_into_the_bucket(pictures, bucket, tmp_path, named):  # noqa: F811
    model = load(server_model.save(tmp_path, 1), 1)
    out = f"gs://{bucket}/out"
    account = bulk.predict(model, listing([pictures + named]), out, ["masks", "coco"], max_megapixels=1)
    assert (account.done, len(account.failed)) == (2, 1)
    assert set(np.unique(mask(f"{out}/masks/more/green.png"))) == {1}
    rows = list(csv.DictReader(io.StringIO(files.read(f"{out}/classes.csv").decode())))
    assert {row["id"]: row["green"] for row in rows} == {"more/green": "1.000000", "red": "0.000000"}
    assert "broken.png is not a picture" in files.read(f"{out}/failed.txt").decode()
    assert b'"annotations"' in files.read(f"{out}/coco.json")


def test_a_model_in_a_bucket_is_found_and_loaded(storage, bucket, tmp_path):  # noqa: F811
    for version in (2, 10):
        model = server_model.save(tmp_path, version)
        for path in model.rglob("*"):
            if path.is_file():
                storage.put(bucket, f"runs/pets/serving/{version}/{path.relative_to(model)}", path.read_bytes())
    for form in ("runs/pets", "runs/pets/serving", "runs/pets/serving/10/"):
        assert find(f"gs://{bucket}/{form}") == f"gs://{bucket}/runs/pets/serving/10"
    assert find_serving(f"gs://{bucket}/runs/pets") == Serving("pets", f"gs://{bucket}/runs/pets/serving")
    loaded = load(find(f"gs://{bucket}/runs/pets"))
    assert loaded.version == 10
    assert set(np.unique(loaded.signature().run([picture(GREEN)])[0]["mask"])) == {1}
    assert size_mb(f"gs://{bucket}/runs/pets/serving/10") == pytest.approx(size_mb(tmp_path / "10"))
    assert card.read(f"gs://{bucket}/runs/pets/serving/10")["image_size"] == loaded.image_size
