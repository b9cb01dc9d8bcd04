"""Sources that are damaged, incomplete or not what the config says: one sentence each, never a traceback."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from segpipe.errors import DataError
from segpipe.ingest import example
from segpipe.ingest.prepare import prepare
from segpipe.ingest.sources import csv
from segpipe.io import tfrecord
from tests import pictures
from tests.ingest.sources import layouts
from tests.ingest.sources.test_identical import read


def _prepare(config, tmp_path, **keys):
    source = config.source.model_copy(update=keys)
    return prepare(config.model_copy(update={"source": source}), tmp_path / "out", workers=1)


def test_a_parquet_file_cut_off_in_the_middle(tmp_path):
    config = layouts.parquet_of_bytes(tmp_path / "in")
    path = tmp_path / "in" / "a.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"a\.parquet is not a Parquet file or was cut off"):
        _prepare(config, tmp_path)


def test_a_parquet_file_damaged_in_the_middle(tmp_path):
    config = layouts.parquet_of_bytes(tmp_path / "in")
    path = tmp_path / "in" / "a.parquet"
    data = bytearray(path.read_bytes())
    data[4:3000] = bytes(2996)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.parquet is damaged in row group 0"):
        _prepare(config, tmp_path)


def test_an_empty_cell_is_told_with_its_row(tmp_path):
    config = layouts.csv(tmp_path / "in")
    path = tmp_path / "in" / "index.csv"
    path.write_text(path.read_text().replace("masks/p03.png", ""))
    with pytest.raises(DataError, match=r"index\.csv line 5: column mask is empty"):
        _prepare(config, tmp_path)


def test_a_csv_that_is_not_utf_8(tmp_path):
    config = layouts.csv(tmp_path / "in")
    (tmp_path / "in" / "index.csv").write_bytes("image,mask,key\nhündchen.jpg,a.png,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"is not UTF-8 text; save the CSV as UTF-8"):
        _prepare(config, tmp_path)


def test_a_csv_with_backslashes_names_files_in_folders(tmp_path):
    config = layouts.csv(tmp_path / "in")
    path = tmp_path / "in" / "index.csv"
    path.write_text(path.read_text().replace("/", "\\"))
    assert sum(_prepare(config, tmp_path).counts.values()) == layouts.NUMBER


def test_addresses_without_a_suffix_have_ids_of_their_own(tmp_path):
    path = tmp_path / "index.csv"
    path.write_text("image,mask\n" + "".join(f"https://pictures.test/{i},https://masks.test/{i}\n" for i in range(3)))
    listed = csv.records(pictures.config(path, source={"kind": "csv"}))
    assert [record.id for record in listed] == [f"https://pictures.test/{i}" for i in range(3)]


def test_coco_file_names_with_backslashes_are_found(tmp_path):
    config = layouts.coco(tmp_path / "in")
    path = tmp_path / "in" / "annotations" / "instances.json"
    content = json.loads(path.read_text())
    for image in content["images"]:
        image["file_name"] = f"..\\images\\{image['file_name']}"
    path.write_text(json.dumps(content))
    assert sum(_prepare(config, tmp_path, images="../images").counts.values()) == layouts.NUMBER


def test_semicolons_and_a_byte_order_mark_as_spreadsheets_write_them(tmp_path):
    config = layouts.csv(tmp_path / "in")
    path = tmp_path / "in" / "index.csv"
    path.write_text(path.read_text().replace(",", ";"), encoding="utf-8-sig")
    assert sum(_prepare(config, tmp_path).counts.values()) == layouts.NUMBER


def test_a_file_that_a_table_names_and_is_not_there_counts_as_bad(tmp_path):
    config = layouts.csv(tmp_path / "in")
    (tmp_path / "in" / "images" / "p03.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 30 pictures cannot be used: .*p03\.jpg does not exist\."):
        _prepare(config, tmp_path)


@pytest.mark.parametrize("layout", ["csv", "parquet_of_bytes"])
def test_duplicate_ids_are_told(layout, tmp_path):
    config = layouts.ALL[layout](tmp_path / "in")
    path = tmp_path / "in"
    if layout == "csv":
        index = path / "index.csv"
        index.write_text(index.read_text() + "images/p03.jpg,masks/p03.png,p03\n")
    else:
        (path / "b.parquet").write_bytes((path / "a.parquet").read_bytes())
    with pytest.raises(DataError, match=r"occur more than once in the source: .*p03"):
        _prepare(config, tmp_path, path=str(path / "index.csv" if layout == "csv" else path))


def test_a_tfrecord_file_cut_off_is_told_and_nothing_is_left(tmp_path):
    config = layouts.tfrecord(tmp_path / "in")
    path = next((tmp_path / "in" / "shards").glob("train-*"))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"train-.* ends inside record \d+; it was cut off"):
        _prepare(config, tmp_path)
    assert not (tmp_path / "out").exists()


def test_gzip_tfrecord_is_read_and_a_damaged_one_told(tmp_path):
    import gzip

    config = layouts.tfrecord(tmp_path / "in")
    for path in (tmp_path / "in" / "shards").glob("*.tfrecord"):
        path.with_suffix(".tfrecord.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert sum(_prepare(config, tmp_path).counts.values()) == layouts.NUMBER
    path = next((tmp_path / "in" / "shards").glob("*.gz"))
    whole = path.read_bytes()
    for damaged in (whole[:-20], whole[:2000] + bytes(500) + whole[2500:], whole[:-8] + bytes(8)):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"is a damaged gzip file"):
            _prepare(config, tmp_path)


def test_foreign_examples_are_told_with_what_they_have(tmp_path):
    with (tmp_path / "x.tfrecord").open("wb") as stream:
        tfrecord.write(stream, example.encode({"pixels": [1.0, 2.0]}))
    config = pictures.config(tmp_path / "x.tfrecord", source={"kind": "tfrecord"})
    with pytest.raises(DataError, match=r"record 0 has no single image, mask, id; .* this one has pixels"):
        _prepare(config, tmp_path)


def test_the_published_labels_between_two_classes_are_ignored_and_never_a_third_class(tmp_path):
    """The published pipeline resized labels bilinearly: between 0 and 2 lies a 1 that nobody drew."""
    classes = np.zeros((40, 40), np.float32)
    classes[:, 18:] = 2
    label = tf.image.resize(classes[..., None], (32, 32)).numpy()[..., 0]
    assert len(np.unique(label)) > 2
    features = {
        "image": np.full(32 * 32 * 3, 99.6, np.float32).tolist(),
        "image_shape": [32, 32, 3],
        "label": label.ravel().tolist(),
        "label_shape": [32, 32],
    }
    (tmp_path / "in").mkdir()
    for split in ("train", "val", "test"):
        with (tmp_path / "in" / f"{split}-0.tfrec").open("wb") as stream:
            tfrecord.write(stream, example.encode(features))
    config = pictures.config(tmp_path / "in", source={"kind": "tfrecord"}, data={"classes": ("a", "b", "c")})
    _prepare(config, tmp_path)
    stored = read(tmp_path / "out")["train-0-000000"]
    mask = np.asarray(Image.open(io.BytesIO(stored["mask"][0])))
    assert set(np.unique(mask)) == {0, 2, 255}
    assert np.array_equal(mask != 255, label == np.floor(label))
    assert np.asarray(Image.open(io.BytesIO(stored["image"][0]))).max() == 100


@pytest.mark.parametrize(
    ("image", "label", "reason"),
    [
        ([0.25] * 12, [0.0] * 4, r"record 0: image holds at most 0\.25, so it is scaled to 0…1"),
        ([-1.0] * 12, [0.0] * 4, r"record 0: image holds -1…-1; 0…255 is expected"),
        ([float("nan")] * 12, [0.0] * 4, r"record 0: image holds nan…nan"),
        ([9.0] * 12, [-1.0] * 4, r"record 0: label holds -1…-1"),
        ([9.0] * 9, [0.0] * 4, r"record 0: image has 9 values, which is not what image_shape says: \[2, 2, 3\]"),
    ],
)
def test_flat_floats_that_are_no_picture_are_told_and_never_clipped(image, label, reason, tmp_path):
    features = {"image": image, "image_shape": [2, 2, 3], "label": label, "label_shape": [2, 2]}
    with (tmp_path / "x.tfrec").open("wb") as stream:
        tfrecord.write(stream, example.encode(features))
    with pytest.raises(DataError, match=reason):
        _prepare(pictures.config(tmp_path / "x.tfrec", source={"kind": "tfrecord"}), tmp_path)


def test_a_shard_with_fewer_pictures_than_its_list_says_is_told(tmp_path):
    config = layouts.tfds(tmp_path / "in")
    shard = next((tmp_path / "in").rglob("*-train.tfrecord-00000-of-00001"))
    with shard.open("rb") as stream:
        kept = list(tfrecord.read(stream, shard.name))[:-1]
    with shard.open("wb") as stream:
        for record in kept:
            tfrecord.write(stream, record)
    with pytest.raises(DataError, match=r"24 of the 25 pictures of one part of the source were there"):
        _prepare(config, tmp_path)


def test_coco_categories_without_a_class_are_named(tmp_path):
    config = layouts.coco(tmp_path / "in")
    with pytest.raises(DataError, match=r"has categories without a class: edge\. Map each in \[source\.categories\]"):
        _prepare(config, tmp_path, categories={})


def test_coco_crowds_are_ignored_and_small_shapes_lie_on_top(tmp_path):
    config = layouts.coco(tmp_path / "in")
    path = tmp_path / "in" / "annotations" / "instances.json"
    content = json.loads(path.read_text())
    square = [[0, 0, 8, 0, 8, 8, 0, 8]]
    everything = [[0, 0, 24, 0, 24, 16, 0, 16]]
    content["annotations"] = [
        {"id": 1, "image_id": 0, "category_id": 9, "segmentation": square, "area": 64},
        {"id": 2, "image_id": 0, "category_id": 7, "segmentation": everything, "area": 384},
        {"id": 3, "image_id": 1, "category_id": 7, "segmentation": square, "area": 64, "iscrowd": 1},
    ]
    path.write_text(json.dumps(content))
    _prepare(config, tmp_path)
    masks = {name: np.asarray(Image.open(io.BytesIO(f["mask"][0]))) for name, f in read(tmp_path / "out").items()}
    assert (masks["p00"][2, 2], masks["p00"][12, 20]) == (2, 1)
    assert (masks["p01"][2, 2], masks["p01"][12, 20]) == (255, 0)


def _with_first_annotation(root, **keys):
    path = root / "annotations" / "instances.json"
    content = json.loads(path.read_text())
    content["annotations"][0].update(keys)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "outline",
    [
        [0, 0, 8, 0, 8],
        [[0, 0, 3.5e8, 0, 3.5e8, 8]],
        {"size": [16, 24], "counts": [3, 5]},
        {"size": [16, 24], "counts": "no run lengths"},
        {"size": [16, 24]},
        [["a"] * 6],
    ],
)
def test_a_coco_annotation_that_cannot_be_drawn_costs_no_other_picture(outline, tmp_path):
    config = layouts.coco(tmp_path / "in")
    _with_first_annotation(tmp_path / "in", segmentation=outline)
    with pytest.raises(
        DataError, match=r"1 of 30 pictures cannot be used: an annotation of .*p00\.jpg cannot be drawn"
    ):
        _prepare(config, tmp_path)
    done = _prepare(config, tmp_path, on_bad_example="quarantine")
    assert list(done.quarantined) == ["instances/p00"]
    assert sum(done.counts.values()) == layouts.NUMBER - 1


@pytest.mark.parametrize("flat", [[], [1, 1, 8, 8]])
@pytest.mark.parametrize("others", [[], [[0, 0, 8, 0, 8, 8, 0, 8]]])
def test_coco_polygons_of_less_than_three_points_cover_nothing(flat, others, tmp_path):
    config = layouts.coco(tmp_path / "in")
    _with_first_annotation(tmp_path / "in", segmentation=[flat, *others])
    assert sum(_prepare(config, tmp_path).counts.values()) == layouts.NUMBER
    mask = np.asarray(Image.open(io.BytesIO(read(tmp_path / "out")["p00"]["mask"][0])))
    assert (mask == 1).sum() == 64 * len(others)


def test_a_coco_annotation_of_an_unknown_category_is_named(tmp_path):
    config = layouts.coco(tmp_path / "in")
    _with_first_annotation(tmp_path / "in", category_id=8)
    with pytest.raises(DataError, match=r"annotation 0 has the category_id 8, .* categories \(7, 9\); add it"):
        _prepare(config, tmp_path)


def test_coco_images_that_are_not_found_are_told_with_the_folders_tried(tmp_path):
    config = layouts.coco(tmp_path / "in")
    (tmp_path / "in" / "images").rename(tmp_path / "in" / "elsewhere")
    with pytest.raises(DataError, match=r"p00\.jpg of .* is not in .*; name its folder in source\.images"):
        _prepare(config, tmp_path)
    assert sum(_prepare(config, tmp_path, images="../elsewhere").counts.values()) == layouts.NUMBER


def test_a_json_that_is_no_coco_file_is_told(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    config = pictures.config(tmp_path / "a.json", source={"kind": "coco"})
    with pytest.raises(DataError, match=r"not a COCO annotation file: it has no images, annotations, categories"):
        _prepare(config, tmp_path)


def test_an_unknown_colour_is_named_with_its_share(tmp_path):
    config = layouts.colours(tmp_path / "in")
    (tmp_path / "in" / "masks" / "p00.png").write_bytes(pictures.encoded(Image.new("RGB", (24, 16), "#123456")))
    with pytest.raises(DataError, match=r"p00\.png holds the colour #123456 in 100\.0% of its pixels; neither data"):
        _prepare(config, tmp_path)


def test_a_data_set_that_tfds_does_not_know_is_told(tmp_path):
    config = pictures.config(tmp_path, source={"kind": "tfds", "dataset": "no_such_data_set"})
    with pytest.raises(DataError, match=r"TFDS cannot prepare no_such_data_set"):
        _prepare(config, tmp_path)


def test_names_that_are_not_utf_8_are_read_and_printed(tmp_path):
    import os

    root = pictures.write_folder(tmp_path / "data", 30)
    for folder, suffix in (("images", b"jpg"), ("masks", b"png")):
        source = os.fsencode(root / folder) + b"/p00." + suffix
        os.rename(source, os.fsencode(root / folder) + b"/h\xfcndchen." + suffix)  # noqa: PTH104
    prepare(pictures.config(root), tmp_path / "out", workers=1)
    assert "h\\xfcndchen" in read(tmp_path / "out")
    for path in (root / "images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError) as error:
        prepare(pictures.config(root), tmp_path / "out2", workers=1)
    assert str(error.value).encode()


@pytest.mark.parametrize("kind", ["csv", "parquet", "tfrecord", "coco"])
def test_a_missing_path_is_told(kind, tmp_path):
    with pytest.raises(DataError, match=r"source\.path is missing"):
        _prepare(pictures.config("", source={"kind": kind}), tmp_path)
    with pytest.raises(DataError, match=r"there is no file /nowhere"):
        _prepare(pictures.config("/nowhere", source={"kind": kind}), tmp_path)
