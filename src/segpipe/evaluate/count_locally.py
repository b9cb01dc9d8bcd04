"""Counts a SavedModel's pixels on TFRecord files without TFX, as `segpipe evaluate` does."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from segpipe import progress, schema
from segpipe.config.evaluate import Evaluate
from segpipe.errors import DataError
from segpipe.evaluate import picture_table
from segpipe.evaluate.scores import Scores
from segpipe.evaluate.slices import attributes
from segpipe.ingest import example, example_files
from segpipe.metrics import confusion
from segpipe.metrics.measures import BOUNDARY, CALIBRATION, CONFUSION
from segpipe.savedmodel.load import LoadedModel

Counts = NDArray[np.int64]

_BATCH = 32


@dataclass(frozen=True)
class Evaluation:
    """What a model does on a split.

    Attributes:
      sums: int64, flat, by output of `counts.py`.
      pictures: the counts by picture.
    """

    sums: dict[str, Counts]
    pictures: picture_table.PictureTable

    @property
    def scores(self) -> Scores:
        """The sums as the report takes them."""
        return Scores(confusion.square(self.sums[CONFUSION]), self.sums.get(BOUNDARY), self.sums.get(CALIBRATION))


def evaluate(model: LoadedModel, shards: Sequence[str], settings: Evaluate) -> Evaluation:
    """Counts every picture of the files; memory holds one batch of pictures, and their counts.

    Args:
      model: a loaded SavedModel.
      shards: TFRecord files of Examples.
      settings: which slices to tell apart.

    Raises:
      DataError: there is no Example, a file is damaged, or the Examples have other classes than the model.
    """
    _check_classes(model, example_files.first(shards))
    sums: dict[str, Counts] = {}
    ids, digests, slices, margins = [], [], [], []
    for batch in _batches(shards):
        counts = model.count(batch)
        for output, values in counts.items():
            sums[output] = sums.get(output, np.zeros((), np.int64)) + values.sum(axis=0)
        margins.append(confusion.margins(confusion.square(counts[CONFUSION])))
        for serialized in batch:
            features = example.decode(serialized)
            ids.append(features[schema.ID][0].decode("utf-8", "replace"))
            digests.append(digest(features))
            slices.append(attributes(features, settings))
        progress.report("pictures", len(ids))
    return Evaluation(sums, picture_table.PictureTable(ids, digests, slices, np.concatenate(margins)))


def digest(features: dict[str, list]) -> str:
    """Fingerprint of a picture's stored bytes and mask: 16 hexadecimal digits."""
    stored = features[schema.IMAGE][0] + features[schema.MASK][0]
    return hashlib.blake2b(stored, digest_size=8).hexdigest()


def _batches(shards: Sequence[str]) -> Iterator[list[bytes]]:
    records = (serialized for shard in shards for serialized in example_files.read(shard))
    while batch := list(islice(records, _BATCH)):
        yield batch


def _check_classes(model: LoadedModel, serialized: bytes) -> None:
    shares = example.decode(serialized).get(schema.CLASS_FRACTION)
    if shares and len(shares) != len(model.classes):
        raise DataError(
            f"the Examples have {len(shares)} classes, the model {len(model.classes)}: {', '.join(model.classes)}."
        )
