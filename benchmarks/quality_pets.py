"""Trains one row of docs/quality.md on Oxford-IIIT Pets and prints its scores: 80 % train, 19 % judge, by hash.

python benchmarks/quality_pets.py ../shared/data/pets --weights ../shared/weights/FILE [--set train.epochs=30 …]
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from segpipe import config, progress, schema, train
from segpipe.ingest.prepare import prepare
from segpipe.preprocess import pictures
from segpipe.train import data, metrics

BATCH = 32
BORDER = 2


def settings(pets: Path, weights: str, overrides: Sequence[str], folder: Path) -> config.Config:
    """The run as a user would write it, in a TOML file."""
    path = folder / "pets.toml"
    path.write_text(
        f'[source]\npath = "{pets.absolute()}"\nmasks = "trimaps"\n'
        "[split]\ntrain = 0.8\neval = 0.19\ntest = 0.01\n"
        '[data]\nclasses = ["pet", "background", "border"]\nmask_values = [1, 2, 3]\n'
        f'[model]\nweights = "{weights}"\n'
    )
    return config.load(path, overrides)


def compressed(folder: Path, split: str) -> str:
    """The shards of a split as one gzip file, as ExampleGen writes it."""
    target = str(folder / f"{split}.gz")
    with tf.io.TFRecordWriter(target, "GZIP") as writer:
        for shard in sorted(folder.glob(f"{split}-*.tfrecord")):
            for record in tf.data.TFRecordDataset(str(shard)):
                writer.write(record.numpy())
    return target


def transform_to(size: int) -> data.Transform:
    """What Transform's graph does."""

    def transform(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        decoders = {"image": pictures.images_to_inputs, "mask": pictures.masks_to_targets}
        return {name: decoders[name](value, size) for name, value in features.items()}

    return transform


def judge(model: keras.Model, held_out: data.Pictures) -> tuple[np.ndarray, np.ndarray]:
    """Confusion counts of the held-out pictures, int64: with the border [3, 3] and without it [2, 2].

    Without it, the pixels of the border are not judged and no pixel is taken for one: the more probable of pet and
    background is what the model says.
    """

    @tf.function
    def counts(images: tf.Tensor, masks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = model(pictures.normalize(images), training=False)
        without = tf.where(masks == BORDER, tf.cast(schema.IGNORE, masks.dtype), masks)
        return metrics.confusion(masks, logits), metrics.confusion(without, logits[..., :BORDER])

    batches = data.batches(held_out, BATCH, np.arange(len(held_out)))
    with_border, without_border = zip(*(counts(*batch) for batch in batches), strict=True)
    return np.sum(with_border, axis=0), np.sum(without_border, axis=0)


def main() -> None:
    """Prepares, trains, judges the returned model once more, and prints one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pets", type=Path)
    parser.add_argument("--weights", default="none")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = settings(arguments.pets, arguments.weights, arguments.set, folder)
        shards = folder / "shards"
        prepare(run, str(shards))
        files = [compressed(shards, split) for split in ("train", "eval")]
        size = run.data.image_size
        transform = transform_to(size)
        started, started_cpu = time.monotonic(), time.process_time()
        with progress.listening(_show):
            trained = train.fit(run, files[:1], files[1:], transform, str(folder / "work"))
        seconds, cpu_s = time.monotonic() - started, time.process_time() - started_cpu
        held_out = data.load(files[1:], transform, size, 4.0, "eval")
        counts, without_border = judge(trained.model, held_out)
    row = {
        "architecture": run.model.architecture,
        "classes": list(run.data.classes),
        "mean_iou": round(metrics.mean_iou(counts), 4),
        "class_iou": np.round(metrics.class_iou(counts), 4).tolist(),
        "mean_iou_without_border": round(metrics.mean_iou(without_border), 4),
        "class_iou_without_border": np.round(metrics.class_iou(without_border), 4).tolist(),
        "mean_iou_of_last_epoch": round(trained.history[-1]["val_mean_iou"], 4),
        "pixel_accuracy": round(float(np.trace(counts) / counts.sum()), 4),
        "best_epoch": trained.best_epoch,
        "epochs": len(trained.history),
        "seconds": round(seconds, 1),
        "cpu_s": round(cpu_s, 1),
        "command": " ".join(sys.argv),
    }
    print(json.dumps(row))


def _show(step: progress.Progress) -> None:
    if step.what.startswith("epoch") and step.done == step.total:
        numbers = ", ".join(f"{name} {value:.4f}" for name, value in step.numbers.items())
        print(f"{step.what}: {numbers}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
