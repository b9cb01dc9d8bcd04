"""Trains one row of docs/quality.md on Oxford-IIIT Pets and prints its scores: 80 % train, 19 % judge, by hash.

python benchmarks/quality_pets.py ../shared/data/pets --weights ../shared/weights/FILE [--without-border]
    [--set train.epochs=30 …]
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from segpipe import config, progress, train
from segpipe.ingest.prepare import prepare
from segpipe.preprocess import pictures
from segpipe.train import data, metrics, steps

BATCH = 32


def settings(arguments: argparse.Namespace, folder: Path) -> config.Config:
    """The run as a user would write it, in a TOML file."""
    classes = '["pet", "background"]' if arguments.without_border else '["pet", "background", "border"]'
    masks = "mask_values = [1, 2]\nignore_values = [3]" if arguments.without_border else "mask_values = [1, 2, 3]"
    path = folder / "pets.toml"
    path.write_text(
        f'[source]\npath = "{arguments.pets.absolute()}"\nmasks = "trimaps"\n'
        f"[split]\ntrain = 0.8\neval = 0.19\ntest = 0.01\n[data]\nclasses = {classes}\n{masks}\n"
        f'[model]\nweights = "{arguments.weights}"\n'
    )
    return config.load(path, arguments.set)


def compressed(folder: Path, split: str) -> str:
    """The shards of a split as one gzip file, as ExampleGen writes it."""
    target = str(folder / f"{split}.gz")
    with tf.io.TFRecordWriter(target, "GZIP") as writer:
        for shard in sorted(folder.glob(f"{split}-*.tfrecord")):
            for record in tf.data.TFRecordDataset(str(shard)):
                writer.write(record.numpy())
    return target


def main() -> None:
    """Prepares, trains, judges the returned model once more, and prints one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pets", type=Path)
    parser.add_argument("--weights", default="none")
    parser.add_argument("--without-border", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = settings(arguments, folder)
        shards = folder / "shards"
        prepare(run, str(shards))
        files = [compressed(shards, split) for split in ("train", "eval")]
        size = run.data.image_size

        def transform(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {
                "image": pictures.images_to_inputs(features["image"], size),
                "mask": pictures.masks_to_targets(features["mask"], size),
            }

        started, started_cpu = time.monotonic(), time.process_time()
        with progress.listening(_show):
            trained = train.fit(run, files[:1], files[1:], transform, str(folder / "work"))
        seconds, cpu_s = time.monotonic() - started, time.process_time() - started_cpu
        held_out = data.load(files[1:], transform, size, 4.0, "eval")
        judge = steps.eval_step(trained.model, run.train, size)
        batches = data.batches(held_out, BATCH, np.arange(len(held_out)))
        counts = np.sum([judge(*batch)[1].numpy() for batch in batches], axis=0)
    row = {
        "architecture": run.model.architecture,
        "classes": list(run.data.classes),
        "mean_iou": round(metrics.mean_iou(counts), 4),
        "class_iou": np.round(metrics.class_iou(counts), 4).tolist(),
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
