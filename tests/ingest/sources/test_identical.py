"""Every source gives the same Examples for the same pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from segpipe import schema
from segpipe.ingest import example
from segpipe.ingest.prepare import prepare
from segpipe.io import tfrecord
from tests.ingest.sources import layouts


def read(folder) -> dict[str, dict]:
    """Features by the name of the picture, with the split among them."""
    found = {}
    for path in sorted(folder.glob("*.tfrecord")):
        with path.open("rb") as stream:
            for record in tfrecord.read(stream, path.name):
                features = example.decode(record)
                name = features["id"][0].decode().rsplit("/", 1)[-1]
                found[name] = {**features, "split": path.name.split("-")[0]}
    return found


@pytest.mark.parametrize("layout", [name for name in layouts.ALL if name != "published"])
def test_images_pass_byte_for_byte_and_masks_value_for_value(layout, tmp_path):
    done = prepare(layouts.ALL[layout](tmp_path / "in"), tmp_path / "out", workers=1)
    found = read(tmp_path / "out")
    assert sorted(found) == layouts.names()
    assert sum(done.counts.values()) == layouts.NUMBER
    for name, features in found.items():
        assert features[schema.IMAGE] == [layouts.image_bytes(name)]
        stored = np.asarray(Image.open(io.BytesIO(features[schema.MASK][0])))
        assert np.array_equal(stored, layouts.mask_array(name) - 1)


@pytest.mark.parametrize("layout", [name for name in layouts.ALL if name not in ("published", "folder")])
def test_numbers_are_those_of_the_folder_source(layout, tmp_path):
    prepare(layouts.folder(tmp_path / "folder"), tmp_path / "expected", workers=1)
    prepare(layouts.ALL[layout](tmp_path / "in"), tmp_path / "out", workers=1)
    expected, found = read(tmp_path / "expected"), read(tmp_path / "out")
    for name in layouts.names():
        for feature in (*schema.IMAGE_STATISTICS, schema.CLASS_FRACTION, schema.HEIGHT, schema.WIDTH):
            assert found[name][feature] == expected[name][feature]


@pytest.mark.parametrize("layout", ["colours", "csv", "parquet_of_bytes", "parquet_of_paths"])
def test_the_hash_deals_the_same_ids_alike_whatever_the_source(layout, tmp_path):
    prepare(layouts.folder(tmp_path / "folder"), tmp_path / "expected", workers=1)
    prepare(layouts.ALL[layout](tmp_path / "in"), tmp_path / "out", workers=1)
    expected, found = read(tmp_path / "expected"), read(tmp_path / "out")
    assert {name: found[name]["split"] for name in found} == {name: expected[name]["split"] for name in expected}


def test_the_published_format_gives_the_same_pixels(tmp_path):
    prepare(layouts.published(tmp_path / "in"), tmp_path / "out", workers=1)
    found = read(tmp_path / "out")
    assert len(found) == layouts.NUMBER
    for index, name in enumerate(layouts.names()):
        features = found[f"train-00-30-{index:06d}"]
        pixels = np.asarray(Image.open(io.BytesIO(features[schema.IMAGE][0])))
        assert np.array_equal(pixels, np.asarray(Image.open(io.BytesIO(layouts.image_bytes(name)))))
        assert np.array_equal(
            np.asarray(Image.open(io.BytesIO(features[schema.MASK][0]))), layouts.mask_array(name) - 1
        )


def test_two_processes_read_every_source(tmp_path):
    """What is sent to a worker process can be pickled, and gives the same there."""
    for name, layout in layouts.ALL.items():
        if name in ("coco", "parquet_of_bytes"):
            settings = layout(tmp_path / name)
            prepare(settings, tmp_path / f"{name}-1", workers=1)
            prepare(settings, tmp_path / f"{name}-2", workers=2)
            assert read(tmp_path / f"{name}-1") == read(tmp_path / f"{name}-2")


@pytest.mark.parametrize("layout", ["coco", "tfrecord"])
def test_what_holds_class_ids_is_read_as_such_though_the_config_names_colours(layout, tmp_path):
    config = layouts.ALL[layout](tmp_path / "in")
    data = config.data.model_copy(update={"mask_values": (), "mask_colors": ("#010101", "#000000", "#020202")})
    prepare(config.model_copy(update={"data": data}), tmp_path / "out", workers=1)
    found = read(tmp_path / "out")
    assert sorted(found) == layouts.names()
    for name, features in found.items():
        stored = np.asarray(Image.open(io.BytesIO(features[schema.MASK][0])))
        assert np.array_equal(stored, layouts.mask_array(name) - 1)
