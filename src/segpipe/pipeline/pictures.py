"""A SavedModel and the test split's Examples in, the pictures that the report shows out."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from segpipe import schema
from segpipe.evaluate import confusion, samples
from segpipe.evaluate.report import Sample
from segpipe.preprocess import pictures

_BATCH = 32


def choose(
    model_dir: Path, example_files: Sequence[str], image_size: int, how_many: int = 8
) -> tuple[list[Sample], list[Sample]]:
    """Judges every picture and keeps the few worth a look; memory holds counts, not pictures.

    Args:
      model_dir: a SavedModel with the signatures of serve/export.py.
      example_files: gzip TFRecord files of Examples.
      image_size: side in pixels that the model sees.
      how_many: samples of each sort.

    Returns:
      The worst pictures, and pictures from best to worst.
    """
    signatures = tf.saved_model.load(str(model_dir)).signatures
    dataset = tf.data.TFRecordDataset(list(example_files), compression_type="GZIP")
    per_picture = np.concatenate(
        [
            confusion.square(signatures["from_examples"](examples=batch)["confusion"].numpy())
            for batch in dataset.batch(_BATCH)
        ]
    )
    worst = samples.worst(per_picture, how_many)
    typical = samples.representative(per_picture, how_many)
    scores = confusion.mean_iou(per_picture)
    wanted = {*worst, *typical}
    shown = {
        position: _sample(example, signatures["serving_default"], image_size, float(scores[position]))
        for position, example in _at(dataset, wanted)
    }
    return [shown[i] for i in worst], [shown[i] for i in typical]


def _at(dataset: tf.data.Dataset, positions: set[int]) -> Iterator[tuple[int, bytes]]:
    for position, record in enumerate(dataset):
        if position in positions:
            yield position, record.numpy()


def _sample(serialized: bytes, predict: tf.types.experimental.ConcreteFunction, size: int, mean_iou: float) -> Sample:
    features = tf.train.Example.FromString(serialized).features.feature
    image, mask = (features[name].bytes_list.value[0] for name in (schema.IMAGE, schema.MASK))
    return Sample(
        id=features[schema.ID].bytes_list.value[0].decode("utf-8", "replace"),
        image=pictures.resize_image(pictures.decode_image(image), size).numpy(),
        truth=pictures.resize_mask(pictures.decode_mask(mask), size).numpy(),
        prediction=predict(image_bytes=tf.constant([image]))["mask"].numpy()[0],
        mean_iou=mean_iou,
    )
