"""The benchmark's pictures are the same on every machine and at every call."""

import numpy as np
from PIL import Image

from benchmarks.pictures import write_pairs


def test_pairs_match_and_show_some_land(tmp_path):
    pairs = write_pairs(tmp_path, number=5, side=128)
    images, masks = sorted((pairs / "images").iterdir()), sorted((pairs / "masks").iterdir())
    assert [path.stem for path in images] == [path.stem for path in masks] == [f"{n:05d}" for n in range(5)]
    for image, mask in zip(images, masks, strict=True):
        assert Image.open(image).size == Image.open(mask).size == (128, 128)
        values = np.unique(np.asarray(Image.open(mask)))
        assert set(values) <= {0, 1, 2}
        assert values.max() > 0


def test_more_pairs_begin_with_the_same(tmp_path):
    few, many = write_pairs(tmp_path, number=2, side=128), write_pairs(tmp_path, number=3, side=128)
    for name in ("images/00001.jpg", "masks/00001.png"):
        assert (few / name).read_bytes() == (many / name).read_bytes()


def test_another_side_resamples_without_new_classes(tmp_path):
    pairs = write_pairs(tmp_path, number=2, side=200)
    mask = np.asarray(Image.open(pairs / "masks" / "00001.png"))
    assert mask.shape == (200, 200)
    assert set(np.unique(mask)) <= {0, 1, 2}


def test_a_finished_set_is_kept(tmp_path):
    first = write_pairs(tmp_path, number=2, side=128)
    before = (first / "images" / "00000.jpg").stat().st_mtime_ns
    assert write_pairs(tmp_path, number=2, side=128) == first
    assert (first / "images" / "00000.jpg").stat().st_mtime_ns == before
