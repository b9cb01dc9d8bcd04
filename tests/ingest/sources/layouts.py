"""The same thirty pictures in every layout that segpipe reads, each with the config that reads it."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from segpipe.config import Config
from segpipe.ingest.prepare import prepare
from tests import pictures

NUMBER = 30
VALUES = (1, 2, 3)
CLASSES = ("pet", "background", "border")
DATA = {"classes": CLASSES, "mask_values": VALUES}


def names() -> list[str]:
    return [f"p{i:02d}" for i in range(NUMBER)]


def image_bytes(name: str) -> bytes:
    return pictures.encoded(pictures.image(int(name[1:])), "JPEG", quality=95)


def mask_array(name: str) -> np.ndarray:
    """Mask values 1, 2, 3 in stripes that differ from picture to picture."""
    return np.roll(np.asarray(pictures.mask(values=VALUES)), int(name[1:]), axis=1)


def mask_bytes(name: str) -> bytes:
    return pictures.encoded(Image.fromarray(mask_array(name)))


def _config(data: dict | None = None, **source: object) -> Config:
    return Config.model_validate({"name": "test", "source": source, "data": data or DATA})


def folder(root: Path) -> Config:
    for kind, content, suffix in (("images", image_bytes, "jpg"), ("masks", mask_bytes, "png")):
        (root / kind).mkdir(parents=True)
        for name in names():
            (root / kind / f"{name}.{suffix}").write_bytes(content(name))
    return _config(path=str(root))


def colours(root: Path) -> Config:
    """Masks as RGB, as ADE20K, CamVid and drawing programs have them."""
    folder(root)
    table = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [0, 0, 128]], np.uint8)
    for name in names():
        (root / "masks" / f"{name}.png").write_bytes(pictures.encoded(Image.fromarray(table[mask_array(name)])))
    return _config({"classes": CLASSES, "mask_colors": ("#800000", "#008000", "#000080")}, path=str(root))


def csv(root: Path) -> Config:
    folder(root)
    rows = [f"images/{name}.jpg,masks/{name}.png,{name}" for name in names()]
    (root / "index.csv").write_text("\n".join(["image,mask,key", *rows]) + "\n")
    return _config(kind="csv", path=str(root / "index.csv"), id_column="key")


def parquet_of_bytes(root: Path) -> Config:
    root.mkdir()
    table = {"key": names(), "image": [*map(image_bytes, names())], "mask": [*map(mask_bytes, names())]}
    pq.write_table(pa.table(table), root / "a.parquet", row_group_size=11)
    return _config(kind="parquet", path=str(root / "a.parquet"), id_column="key")


def parquet_of_paths(root: Path) -> Config:
    folder(root)
    table = {"key": names(), "file": [f"{n}.jpg" for n in names()], "truth": [f"{n}.png" for n in names()]}
    pq.write_table(pa.table(table), root / "index.parquet")
    columns = {"id_column": "key", "image_column": "file", "mask_column": "truth"}
    return _config(kind="parquet", path=str(root / "index.parquet"), images="images", masks="masks", **columns)


def huggingface(root: Path) -> Config:
    """As `datasets.Dataset.push_to_hub` lays it out: Image structs, and the features in the file's metadata."""
    (root / "data").mkdir(parents=True)
    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    features = {"image": {"_type": "Image"}, "annotation": {"_type": "Image"}, "key": {"_type": "Value"}}
    fields = pa.schema({"image": image, "annotation": image, "key": pa.string()})
    fields = fields.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    rows = [
        {
            "image": {"bytes": image_bytes(n), "path": None},
            "annotation": {"bytes": mask_bytes(n), "path": None},
            "key": n,
        }
        for n in names()
    ]
    for split, part in (("train", rows[:20]), ("validation", rows[20:25]), ("test", rows[25:])):
        table = pa.Table.from_pylist(part, schema=fields)
        pq.write_table(table, root / "data" / f"{split}-00000-of-00001.parquet")
    return _config(kind="huggingface", path=str(root), id_column="key")


def tfrecord(root: Path) -> Config:
    prepare(folder(root / "from"), root / "shards", workers=1)
    return _config({"classes": CLASSES}, kind="tfrecord", path=str(root / "shards"))


def voc(root: Path) -> Config:
    """Palette PNG with 0 as the first class; trainval.txt is there, as in the real one."""
    for kind in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / kind).mkdir(parents=True)
    for name in names():
        (root / "JPEGImages" / f"{name}.jpg").write_bytes(image_bytes(name))
        truth = Image.fromarray(mask_array(name) - 1, "P")
        truth.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
        (root / "SegmentationClass" / f"{name}.png").write_bytes(pictures.encoded(truth))
    (root / "JPEGImages" / "unlabelled.jpg").write_bytes(image_bytes("p00"))
    for split, part in (("train", names()[:20]), ("val", names()[20:]), ("trainval", names())):
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(part) + "\n")
    return _config({"classes": CLASSES}, kind="voc", path=str(root))


def coco(root: Path) -> Config:
    """Run lengths for one class, polygons for the other; what no annotation covers is the first class."""
    from pycocotools import mask as run_lengths

    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    images, annotations = [], []
    for index, name in enumerate(names()):
        (root / "images" / f"{name}.jpg").write_bytes(image_bytes(name))
        values = mask_array(name)
        images.append({"id": index, "file_name": f"{name}.jpg", "height": values.shape[0], "width": values.shape[1]})
        encoded = run_lengths.encode(np.asfortranarray(values == 2))
        encoded["counts"] = encoded["counts"].decode()
        annotations.append({"image_id": index, "category_id": 7, "segmentation": encoded, "area": 9})
        annotations.append({"image_id": index, "category_id": 9, "segmentation": _boxes(values == 3), "area": 5})
    for index, annotation in enumerate(annotations):
        annotation.update({"id": index, "iscrowd": 0})
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 7, "name": "background"}, {"id": 9, "name": "edge"}],
    }
    (root / "annotations" / "instances.json").write_text(json.dumps(content))
    path = str(root / "annotations" / "instances.json")
    return _config(kind="coco", path=path, categories={"edge": "border"})


def _boxes(covered: np.ndarray) -> list[list[float]]:
    """Polygons around the runs of full columns."""
    columns = np.flatnonzero(covered[0])
    height = covered.shape[0]
    runs = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    spans = [(int(run[0]), int(run[-1]) + 1) for run in runs]
    return [[left, 0, right, 0, right, height, left, height] for left, right in spans]


def tfds(root: Path) -> Config:
    """The real builder of oxford_iiit_pet run on fake archives, as TFDS's own test of it does."""
    from unittest import mock

    import tensorflow_datasets as tensorflow_data

    images, annotations = root / "fake/images/images", root / "fake/annotations/annotations"
    for path in (images, annotations / "trimaps", annotations / "xmls"):
        path.mkdir(parents=True)
    for name in names():
        (images / f"{name}.jpg").write_bytes(image_bytes(name))
        (annotations / "trimaps" / f"{name}.png").write_bytes(mask_bytes(name))
    for split, part in (("trainval", names()[:25]), ("test", names()[25:])):
        (annotations / f"{split}.txt").write_text("".join(f"{name} 1 1 1\n" for name in part))
    builder = tensorflow_data.builder("oxford_iiit_pet", data_dir=root / "data")
    archives = {"images": str(root / "fake/images"), "annotations": str(root / "fake/annotations")}
    manager = "tensorflow_datasets.core.download.DownloadManager.download_and_extract"
    with mock.patch(manager, return_value=archives), mock.patch(manager.replace("_and_extract", "_checksums")):
        builder.download_and_prepare(download_config=tensorflow_data.download.DownloadConfig(register_checksums=False))
    return _config(kind="tfds", path=str(root / "data"), slice_columns=("species",))


def published(root: Path) -> Config:
    """Flat floats, as the published pipeline stores them; without its bilinear labels."""
    import tensorflow as tf

    root.mkdir()
    with tf.io.TFRecordWriter(str(root / "train-00-30.tfrec")) as writer:
        for name in names():
            pixels = np.asarray(Image.open(io.BytesIO(image_bytes(name))), np.float32)
            label = mask_array(name).astype(np.float32) - 1
            feature = {
                "image": tf.train.Feature(float_list=tf.train.FloatList(value=pixels.ravel())),
                "image_shape": tf.train.Feature(int64_list=tf.train.Int64List(value=pixels.shape)),
                "label": tf.train.Feature(float_list=tf.train.FloatList(value=label.ravel())),
                "label_shape": tf.train.Feature(int64_list=tf.train.Int64List(value=label.shape)),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return _config({"classes": CLASSES}, kind="tfrecord", path=str(root))


ALL: dict[str, Callable[[Path], Config]] = {
    layout.__name__: layout
    for layout in (
        folder, colours, csv, parquet_of_bytes, parquet_of_paths, huggingface, tfrecord, voc, coco, tfds, published
    )
}  # fmt: skip
