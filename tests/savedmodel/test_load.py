import io
import tempfile
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from segpipe.errors import DataError, UserError
from segpipe.savedmodel import card, local_copy
from segpipe.savedmodel.load import load, load_to_count, size_mb
from segpipe.savedmodel.request_error import RequestError
from segpipe.serve.versions import Versions
from tests.serve import server_model
from tests.serve.server_model import BLUE, CLASSES, SIZE, halves


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return server_model.save(tmp_path_factory.mktemp("serving"), 7)


def _upload(model: Path, folder: str) -> None:
    for path in model.rglob("*"):
        if path.is_file():
            fsspec.filesystem("memory").pipe_file(f"{folder}/{path.relative_to(model)}", path.read_bytes())


@pytest.fixture
def url(model) -> str:
    """The model in a store that TensorFlow cannot read."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    _upload(model, "/bucket/pets/serving/7")
    return "memory://bucket/pets/serving/7"


def examples() -> list[bytes]:
    from segpipe.ingest import example

    stream = io.BytesIO()
    Image.new("L", (64, 32), 2).save(stream, "PNG")
    return [example.encode({"image": [halves(BLUE, BLUE)], "mask": [stream.getvalue()]})] * 2


def test_a_model_knows_its_card_and_its_version(model):
    loaded = load(model)
    assert (loaded.version, loaded.path) == (7, str(model))
    assert (loaded.classes, loaded.image_size) == (CLASSES, SIZE)
    assert loaded.colors.tolist() == card.read(str(model))["palette"]
    assert load(model, 3).version == 3


def test_a_model_counts_and_is_timed(model):
    loaded = load_to_count(str(model))
    assert loaded is load_to_count(str(model))
    counts = loaded.count(examples())["confusion"].reshape(2, len(CLASSES), len(CLASSES))
    np.testing.assert_array_equal(counts, [np.diag([0, 0, SIZE * SIZE])] * 2)
    assert 0 < loaded.latency_ms(halves(BLUE, BLUE)) < 10_000


def test_a_model_under_a_url_is_copied_loaded_and_the_copy_removed(model, url, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    loaded = load(url)
    assert list(tmp_path.iterdir()) == []
    assert (loaded.version, loaded.path, loaded.classes) == (7, url, CLASSES)
    picture = halves(BLUE, (255, 0, 0))
    np.testing.assert_array_equal(
        loaded.signature().run([picture])[0]["mask"], load(model).signature().run([picture])[0]["mask"]
    )
    assert size_mb(url) == pytest.approx(size_mb(model))


def test_a_copy_keeps_the_names_that_tell_run_and_version(url):
    with local_copy.local_copy(url) as folder:
        assert folder.parts[-3:] == ("pets", "serving", "7")
        assert (folder / "saved_model.pb").is_file()
    assert not folder.exists()


def test_a_copy_is_bounded(url, monkeypatch):
    monkeypatch.setattr(local_copy, "MAX_COPY_GB", 1e-6)
    with pytest.raises(UserError, match="a model may have 1e-06"):
        load(url)


def test_a_server_follows_a_folder_under_a_url(model, url):
    followed = Versions("memory://bucket/pets/serving")
    followed.refresh()
    assert followed.get().version == 7
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/pets/serving/8/saved_model.pb", b"half")
    followed.refresh()
    assert followed.get().version == 7
    _upload(model, "/bucket/pets/serving/8")
    followed.refresh()
    assert followed.get().version == 8


def test_bytes_that_are_no_picture_are_a_request_error(model):
    with pytest.raises(RequestError, match="cannot be decoded"):
        load(model).signature().run([b"no picture"])


def test_what_is_no_model_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"holds no SavedModel: saved_model\.pb is missing"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"is no model of segpipe's: it has no assets\.extra/segpipe\.json"):
        load_to_count(str(tmp_path))
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / card.CARD).write_text("{")
    with pytest.raises(DataError, match=r"segpipe\.json cannot be read"):
        card.read(str(tmp_path))
    (tmp_path / card.CARD).write_text("{}")
    (tmp_path / "saved_model.pb").write_bytes(b"half")
    with pytest.raises(DataError, match="does not load as a SavedModel"):
        load_to_count(str(tmp_path))
