"""The network, the source and the metric of docs/extending.md, as they stand there."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from segpipe import model, schema
from segpipe.config import Config
from segpipe.config.source import KINDS, Source
from segpipe.ingest import example, sources
from segpipe.ingest.encode import encode
from segpipe.metrics import measures
from segpipe.model.architectures import ARCHITECTURES
from tests import shapes
from tests.docs import blocks

PAGE = "docs/extending.md"


def shown(path: str, **names: object) -> types.SimpleNamespace:
    """Runs the block that is titled `path`."""
    [block] = [block for block in blocks.read(PAGE) if block.title == path]
    scope = dict(names)
    exec(compile(block.text, path, "exec"), scope)  # noqa: S102
    return types.SimpleNamespace(**scope)


def test_the_network_learns(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "small", shown("src/segpipe/model/small.py").small)
    config = Config(name="a", data={"classes": ("a", "b"), "image_size": 32}, model={"architecture": "small"})
    network = model.build(config.model, num_classes=2, image_size=32)
    images = np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)).astype(np.float32)
    masks = (images[..., 0] > 0).astype(np.uint8)
    network.model.compile("adam", "sparse_categorical_crossentropy")
    assert network.model(images).shape == (8, 32, 32, 2)
    assert network.encoder(images).shape == (8, 16, 16, 32)
    first, *_, last = network.model.fit(images, masks, epochs=5, verbose=0).history["loss"]
    assert last < first


def test_the_source_lists_pairs_that_ingest_takes(monkeypatch, tmp_path: Path):
    rng = np.random.default_rng(0)
    for number in range(40):
        image, mask = shapes.draw(rng, 40, 32)
        image.save(tmp_path / f"{number}.jpg")
        mask.save(tmp_path / f"{number}.mask.png")
    module = shown("src/segpipe/ingest/sources/sidecar.py")
    monkeypatch.setitem(sys.modules, "segpipe.ingest.sources.sidecar", module)
    monkeypatch.setitem(KINDS, "sidecar", ())
    source = Source(kind="sidecar", path=str(tmp_path))
    config = Config(name="a", data={"classes": shapes.CLASSES, "image_size": 32}).model_copy(update={"source": source})
    records = [record for part in sources.parts(config) for record in part.records()]
    assert {record.id for record in records} == {str(number) for number in range(40)}
    encoded = encode(records[0], config)
    assert example.decode(encoded.example)[schema.WIDTH] == [40]
    before = sources.digest(config)
    (tmp_path / "0.mask.png").write_bytes((tmp_path / "1.mask.png").read_bytes())
    assert sources.digest(config) != before


def test_the_metric_is_measured_beside_the_others(monkeypatch):
    monkeypatch.setattr(measures, "MEASURES", dict(measures.MEASURES))
    exec_names = {name: getattr(measures, name) for name in ("Counts", "Measure", "CONFUSION", "MEASURES", "confusion")}
    shown("src/segpipe/metrics/measures.py", np=np, _of_matrix=measures._of_matrix, **exec_names)
    sums = {measures.CONFUSION: np.array([[90, 10], [30, 10]]).ravel()}
    assert measures.measure(sums, ("a", "b"))["worst_class_iou"] == pytest.approx(10 / 50)
