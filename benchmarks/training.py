"""The published Trainer and segpipe's on the same Pets, epochs, batch and size: pictures per second and mean IoU.

python -m benchmarks.training ../shared/data/pets --weights ../shared/weights/FILE [--epochs 6] [--set KEY=VALUE …]

segpipe trains twice: every epoch at the full side, as the published one does, and with progressive resizing. All are
timed from the records to the saved model: reading, tracing, training, judging each epoch, saving. The published one
trains as the blog post does (Keras 2, float32, frozen encoder, Adam, no augmentation, records parsed anew in each
epoch); its records are written beforehand, as its Transform does. Each runs in a process of its own.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from benchmarks import design_run, quality_pets
from segpipe import schema, tensorflow_settings
from segpipe.ingest.prepare import prepare
from segpipe.preprocess import pictures
from segpipe.train import data, metrics

BATCH = 32
RECIPE = ("train.batch_size=32", "train.warmup_epochs=0.5")
RESIZING = "train.progressive_resizing=0.67"
COLUMNS = ("pictures_per_s", "cpu_s_per_1000_pictures", "mean_iou", "seconds", "reading_s")

Measured = dict[str, Any]


def main() -> None:
    """Trains all, or one, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pets", type=Path)
    parser.add_argument(
        "--weights", type=Path, required=True, help="ImageNet weights of keras.applications.MobileNetV2"
    )
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for segpipe's recipe")
    parser.add_argument("--only", choices=DESIGNS)
    parser.add_argument("--here", choices=DESIGNS, help=argparse.SUPPRESS)  # In this process, as JSON.
    arguments = parser.parse_args()
    if arguments.here:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(DESIGNS[arguments.here](arguments, Path(folder))))
        return
    measured = {name: _in_a_process(name) for name in DESIGNS if arguments.only in (None, name)}
    table = Table("", *(column.replace("_", " ") for column in COLUMNS), "× published")
    for name, one in measured.items():
        times = "" if arguments.only else f"{one['pictures_per_s'] / measured['published']['pictures_per_s']:.2f}"
        table.add_row(name, *(f"{one[column]:.4g}" for column in COLUMNS), times)
    console = Console()
    console.print(table)
    console.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {' '.join(sys.argv)}", soft_wrap=True)


def _in_a_process(name: str) -> Measured:
    command = [sys.executable, "-m", "benchmarks.training", *sys.argv[1:], "--here", name]
    # What segpipe's command sets; the published Trainer has TensorFlow's own.
    settings = {} if name == "published" else tensorflow_settings.chosen()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**settings, **os.environ})
    return dict(json.loads(done.stdout.splitlines()[-1]))


def train_segpipe(arguments: argparse.Namespace, folder: Path, *recipe: str) -> Measured:
    """`train.fit` and `export`, as the Trainer's hook calls them."""
    from segpipe import train
    from segpipe.metrics.picture_counts import evaluation_outputs
    from segpipe.savedmodel.export import export

    epochs = arguments.epochs
    frozen = (f"train.epochs={epochs}", f"train.frozen_epochs={epochs}", f"train.patience_epochs={epochs}")
    run = quality_pets.settings(
        arguments.pets, str(arguments.weights.absolute()), [*RECIPE, *frozen, *recipe, *arguments.set], folder
    )
    files = _records(run, folder)
    transform = quality_pets.transform_to(run.data.image_size)

    clock = _Clock()
    trained = train.fit(run, files[:1], files[1:], transform, str(folder / "work"))
    export(trained.model, transform, run, str(folder / "model"), evaluation=evaluation_outputs)
    seconds, cpu_s = clock.read()

    clock = _Clock()
    loaded = data.load(files[:1], transform, run.data.image_size, run.train.cache_gb, schema.TRAIN)
    for _ in range(epochs):
        for _ in data.batches(loaded, BATCH, np.arange(len(loaded))):
            pass
    reading_s, _ = clock.read()
    seen = math.ceil(len(loaded) / BATCH) * BATCH * epochs
    return _measured(seen, seconds, cpu_s, reading_s, _mean_iou(trained.model, run, files[1]))


def train_published(arguments: argparse.Namespace, folder: Path) -> Measured:
    """The blog post's `fit` and `save`, on records of float pixels."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import keras

    published = design_run._published()
    run = quality_pets.settings(arguments.pets, "none", [*RECIPE], folder)
    files = _records(run, folder)
    size = run.data.image_size
    splits = [data.load([file], quality_pets.transform_to(size), size, 4.0, "both") for file in files]
    floats = [_write_floats(folder / f"{index}.gz", split) for index, split in enumerate(splits)]
    encoder = keras.applications.MobileNetV2((size, size, 3), include_top=False, weights=arguments.weights)

    clock = _Clock()
    model = published.unet(encoder.get_weights())
    train, held_out = (_read_floats(file, size) for file in floats)
    steps = len(splits[0]) // BATCH
    model.fit(
        train.shuffle(10 * BATCH).repeat().batch(BATCH).prefetch(tf.data.AUTOTUNE),
        steps_per_epoch=steps,
        validation_data=held_out.batch(BATCH),
        epochs=arguments.epochs,
        verbose=2,
    )
    model.save(str(folder / "model"), save_format="tf")
    seconds, cpu_s = clock.read()

    clock = _Clock()
    for _ in range(arguments.epochs):
        for _ in train.batch(BATCH):
            pass
    reading_s, _ = clock.read()
    return _measured(steps * BATCH * arguments.epochs, seconds, cpu_s, reading_s, _mean_iou(model, run, files[1]))


class _Clock:
    """Seconds by the wall and of the processor since it was made."""

    def __init__(self) -> None:
        self._started = time.monotonic(), time.process_time()

    def read(self) -> tuple[float, float]:
        return time.monotonic() - self._started[0], time.process_time() - self._started[1]


def _measured(seen: int, seconds: float, cpu_s: float, reading_s: float, mean_iou: float) -> Measured:
    values = (seen / seconds, 1000 * cpu_s / seen, mean_iou, seconds, reading_s)
    return dict(zip(COLUMNS, values, strict=True))


def _records(run: Any, folder: Path) -> list[str]:
    prepare(run, str(folder / "shards"))
    return [quality_pets.compressed(folder / "shards", split) for split in (schema.TRAIN, schema.EVAL)]


def _write_floats(path: Path, split: data.Pictures) -> str:
    """Gzip records of flat float features, as Transform materializes them."""
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for image, mask in zip(np.asarray(pictures.normalize(split.images)), split.masks, strict=True):
            features = {
                name: tf.train.Feature(float_list=tf.train.FloatList(value=values.astype(np.float32).ravel()))
                for name, values in (("image_xf", image), ("label_xf", mask))
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return str(path)


def _read_floats(file: str, size: int) -> tf.data.Dataset:
    """Pictures float32 [S, S, 3] and masks float32 [S, S]."""
    features = {
        "image_xf": tf.io.FixedLenFeature([size, size, 3], tf.float32),
        "label_xf": tf.io.FixedLenFeature([size, size], tf.float32),
    }

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_single_example(record, features)
        return parsed["image_xf"], parsed["label_xf"]

    return tf.data.TFRecordDataset(file, "GZIP").map(parse, tf.data.AUTOTUNE)


def _mean_iou(model: Any, run: Any, file: str) -> float:
    size = run.data.image_size
    held_out = data.load([file], quality_pets.transform_to(size), size, 4.0, schema.EVAL)
    batches = data.batches(held_out, BATCH, np.arange(len(held_out)))
    counts = [metrics.confusion(masks, model(pictures.normalize(images), training=False)) for images, masks in batches]
    return metrics.mean_iou(np.sum(counts, axis=0))


DESIGNS = {
    "published": train_published,
    "segpipe": train_segpipe,
    "segpipe, progressive resizing": lambda arguments, folder: train_segpipe(arguments, folder, RESIZING),
}

if __name__ == "__main__":
    main()
