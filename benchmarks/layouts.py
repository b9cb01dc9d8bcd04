"""Pairs of image and mask in, the same pictures in the layout of each source out, with the config that reads it."""

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from segpipe.config import Config
from segpipe.ingest import example
from segpipe.ingest.sources.basemap import CLASSES
from segpipe.io import tfrecord

_COLORS = ("#000080", "#008000", "#00ffff")
_SHARDS = 8
_ROW_GROUP = 128


def config(**source: object) -> Config:
    """The config of a source of these pictures."""
    colors = {"mask_colors": _COLORS} if source.pop("colors", False) else {}
    return Config.model_validate({"name": "bench", "source": source, "data": {"classes": CLASSES, **colors}})


def folder(pairs: Path, out: Path) -> Config:
    """The pairs themselves."""
    return config(path=str(pairs))


def colours(pairs: Path, out: Path) -> Config:
    """Masks as RGB."""
    table = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in _COLORS], np.uint8)
    (out / "masks").mkdir(parents=True)
    for name, _, mask in _read(pairs):
        Image.fromarray(table[_values(mask)]).save(out / "masks" / f"{name}.png")
    (out / "images").symlink_to(pairs / "images")
    return config(path=str(out), colors=True)


def csv(pairs: Path, out: Path) -> Config:
    """A table with the paths."""
    out.mkdir(parents=True)
    rows = [f"{pairs}/images/{name}.jpg,{pairs}/masks/{name}.png,{name}\n" for name in _names(pairs)]
    (out / "index.csv").write_text("image,mask,key\n" + "".join(rows))
    return config(kind="csv", path=str(out / "index.csv"), id_column="key")


def parquet(pairs: Path, out: Path) -> Config:
    """The encoded bytes in columns."""
    out.mkdir(parents=True)
    names, images, masks = zip(*_read(pairs), strict=True)
    table = pa.table({"key": list(names), "image": list(images), "mask": list(masks)})
    pq.write_table(table, out / "a.parquet", row_group_size=_ROW_GROUP, compression="none")
    return config(kind="parquet", path=str(out / "a.parquet"), id_column="key")


def huggingface(pairs: Path, out: Path) -> Config:
    """The encoded bytes in Image structs, split by file."""
    (out / "data").mkdir(parents=True)
    rows = [
        {"image": {"bytes": image, "path": None}, "annotation": {"bytes": mask, "path": None}, "key": name}
        for name, image, mask in _read(pairs)
    ]
    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    features = {"image": {"_type": "Image"}, "annotation": {"_type": "Image"}, "key": {"_type": "Value"}}
    fields = pa.schema({"image": image, "annotation": image, "key": pa.string()})
    fields = fields.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    for split, start, end in _thirds(len(rows)):
        table = pa.Table.from_pylist(rows[start:end], schema=fields)
        pq.write_table(table, out / "data" / f"{split}-00000-of-00001.parquet", row_group_size=_ROW_GROUP)
    return config(kind="huggingface", path=str(out), id_column="key")


def tfrecord_of_ours(pairs: Path, out: Path) -> Config:
    """Examples of the data contract, less what is measured anew."""
    examples = [
        example.encode({"id": name.encode(), "image": image, "mask": mask}) for name, image, mask in _read(pairs)
    ]
    _write_shards(out, examples, lambda split, shard: f"{split}-{shard:05d}.tfrecord")
    return config(kind="tfrecord", path=str(out))


def published(pairs: Path, out: Path) -> Config:
    """Flat floats, as the published pipeline stores them."""

    def flat(image: bytes, mask: bytes) -> bytes:
        pixels, label = _values(image).astype(np.float32), _values(mask).astype(np.float32)
        shapes = {"image_shape": list(pixels.shape), "label_shape": list(label.shape)}
        return example.encode({"image": pixels.ravel().tolist(), "label": label.ravel().tolist(), **shapes})

    _write_shards(out, (flat(image, mask) for _, image, mask in _read(pairs)), lambda s, n: f"{s}-{n:05d}.tfrec")
    return config(kind="tfrecord", path=str(out))


def tfds(pairs: Path, out: Path) -> Config:
    """What TFDS leaves of a data set with encoded pictures."""
    version = out / "tiles" / "1.0.0"
    examples = [
        example.encode({"key": name.encode(), "image": image, "segmentation_mask": mask})
        for name, image, mask in _read(pairs)
    ]
    lengths = _write_shards(
        version, examples, lambda split, shard: f"tiles-{split}.tfrecord-{shard:05d}-of-{_SHARDS:05d}"
    )
    splits = [{"name": split, "shardLengths": [str(number) for number in found]} for split, found in lengths.items()]
    (version / "dataset_info.json").write_text(json.dumps({"name": "tiles", "splits": splits}))
    return config(kind="tfds", path=str(out), dataset="tiles", id_column="key")


def coco(pairs: Path, out: Path) -> Config:
    """Run lengths for all classes but the first."""
    from pycocotools import mask as run_lengths

    (out / "annotations").mkdir(parents=True)
    images, annotations = [], []
    for number, (name, _, mask) in enumerate(_read(pairs)):
        values = _values(mask)
        images.append({"id": number, "file_name": f"{name}.jpg", "height": values.shape[0], "width": values.shape[1]})
        for value in range(1, len(CLASSES)):
            encoded = run_lengths.encode(np.asfortranarray(values == value))
            outline = {"size": encoded["size"], "counts": encoded["counts"].decode()}
            annotation = {"id": len(annotations), "image_id": number, "category_id": value, "iscrowd": 0}
            annotations.append({**annotation, "segmentation": outline, "area": int((values == value).sum())})
    categories = [{"id": value, "name": name} for value, name in enumerate(CLASSES)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (out / "annotations" / "instances.json").write_text(json.dumps(content))
    (out / "images").symlink_to(pairs / "images")
    return config(kind="coco", path=str(out / "annotations" / "instances.json"))


def voc(pairs: Path, out: Path) -> Config:
    """Palette PNGs."""
    (out / "SegmentationClass").mkdir(parents=True)
    for name, _, mask in _read(pairs):
        palette = Image.fromarray(_values(mask), "P")
        palette.putpalette([0, 0, 128, 0, 128, 0, 0, 255, 255])
        palette.save(out / "SegmentationClass" / f"{name}.png")
    (out / "JPEGImages").symlink_to(pairs / "images")
    return config(kind="voc", path=str(out))


ALL: dict[str, Callable[[Path, Path], Config]] = {
    "folder": folder,
    "colours": colours,
    "csv": csv,
    "coco": coco,
    "voc": voc,
    "parquet": parquet,
    "huggingface": huggingface,
    "tfrecord": tfrecord_of_ours,
    "tfds": tfds,
    "published": published,
}


def packed(pairs: Path, out: Path, floats: bool) -> list[Path]:
    """The same pictures one behind the other in a file per core, each behind its length: what the limit reads."""
    out.mkdir(parents=True)
    cores = os.cpu_count() or 1
    paths = [out / f"{core}.bin" for core in range(cores)]
    streams = [path.open("wb") for path in paths]
    for number, (_, image, mask) in enumerate(_read(pairs)):
        for content in (image, mask):
            data = _values(content).astype(np.float32).tobytes() if floats else content
            streams[number % cores].write(len(data).to_bytes(8, "little") + data)
    for stream in streams:
        stream.close()
    return paths


def _names(pairs: Path) -> list[str]:
    return sorted(path.stem for path in (pairs / "images").iterdir())


def _read(pairs: Path) -> Iterator[tuple[str, bytes, bytes]]:
    for name in _names(pairs):
        image, mask = pairs / "images" / f"{name}.jpg", pairs / "masks" / f"{name}.png"
        yield name, image.read_bytes(), mask.read_bytes()


def _values(encoded: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encoded)))


def _thirds(total: int) -> list[tuple[str, int, int]]:
    first, second = total * 7 // 10, total * 85 // 100
    return [("train", 0, first), ("val", first, second), ("test", second, total)]


def _write_shards(folder: Path, examples: object, name: Callable[[str, int], str]) -> dict[str, list[int]]:
    """Writes Examples in shards by split; returns the number in each."""
    folder.mkdir(parents=True)
    serialized = list(examples)  # type: ignore[call-overload]
    lengths: dict[str, list[int]] = {}
    for split, start, end in _thirds(len(serialized)):
        for shard in range(_SHARDS):
            records = serialized[start:end][shard::_SHARDS]
            lengths.setdefault(split, []).append(len(records))
            with (folder / name(split, shard)).open("wb") as stream:
                for record in records:
                    tfrecord.write(stream, record)
    return lengths
