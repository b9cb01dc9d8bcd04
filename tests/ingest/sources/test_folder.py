"""Pairs are found by file name; whatever does not pair up is named."""

import pytest

from segpipe.errors import DataError
from segpipe.ingest.sources import folder
from tests.pictures import config, encoded, image, mask


def test_pairs_by_stem_sorted_and_other_files_left_alone(dataset):
    root = dataset(["b", "a"])
    (root / "images" / "notes.txt").write_text("x")
    (root / "masks" / "._a.png").write_text("x")
    assert [record.id for record in folder.records(config(root))] == ["a", "b"]


def test_nested_folders_are_part_of_the_id(dataset):
    root = dataset(["a"])
    for kind, data, suffix in (("images", encoded(image(), "JPEG"), "jpg"), ("masks", encoded(mask()), "png")):
        (root / kind / "north").mkdir()
        (root / kind / "north" / f"a.{suffix}").write_bytes(data)
    assert [record.id for record in folder.records(config(root))] == ["a", "north/a"]


@pytest.mark.parametrize("name", ["trimaps", "labels", "annotations", "SegmentationClass"])
def test_usual_names_of_the_masks_folder_are_found(dataset, name):
    root = dataset(["a"])
    (root / "masks").rename(root / name)
    assert folder.records(config(root))[0].mask == str(root / name / "a.png")


def test_lonely_files_are_named_five_of_each_and_counted(dataset):
    root = dataset(10)
    for i in range(7):
        (root / "masks" / f"p{i:02d}.png").unlink()
    (root / "images" / "p09.jpg").unlink()
    with pytest.raises(DataError, match=r"7 images without a mask \(.*p00\.jpg, .*p04\.jpg and 2 more\) and 1 mask"):
        folder.records(config(root))


def test_two_images_with_one_id_are_refused(dataset):
    root = dataset(["a"])
    (root / "images" / "a.png").write_bytes(encoded(image()))
    with pytest.raises(DataError, match=r"a\.jpg and .*a\.png have the same id 'a'"):
        folder.records(config(root))


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"path": ""}, r"source\.path is missing"),
        ({"path": "/nowhere"}, r"there is no folder /nowhere"),
        ({"images": "pics"}, r"source\.images: there is no folder .*pics"),
        ({"masks": "truth"}, r"source\.masks: there is no folder .*truth"),
    ],
)
def test_missing_folders_are_told(dataset, keys, reason):
    root = dataset(["a"])
    with pytest.raises(DataError, match=reason):
        folder.records(config(root, source=keys))


def test_an_empty_folder_is_told(dataset):
    with pytest.raises(DataError, match="holds no pictures"):
        folder.records(config(dataset([])))


def test_names_from_a_mac_and_from_elsewhere_pair_up(dataset):
    root = dataset(["Z\u00fcrich"])
    (root / "masks" / "Z\u00fcrich.png").rename(root / "masks" / "Zu\u0308rich.png")
    [record] = folder.records(config(root))
    assert record.id == "Z\u00fcrich"
    assert str(record.mask).endswith("Zu\u0308rich.png")
