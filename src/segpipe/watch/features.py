"""Describes each picture as the model saw it in one row of numbers, the same in training and in service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from segpipe import schema
from segpipe.serve.request_log import Kept
from segpipe.watch.drift import Floats

CONFIDENCE = "confidence"
DOMINANT = "dominant_class"
_COMPONENTS = 4


@dataclass(frozen=True)
class Embedding:
    """Embeddings of pictures as a few numbers: the main directions in which training pictures differ, and what is left.

    What is left is far from 0 for a picture unlike all that the encoder was trained on, whichever way it differs.

    Attributes:
      mean: float64 [D], of the training pictures.
      axes: float64 [C, D], their first principal components.
    """

    mean: Floats
    axes: Floats

    @classmethod
    def of(cls, embeddings: Floats) -> Self:
        """Fits to embeddings [N, D] of training pictures."""
        mean = embeddings.mean(axis=0)
        *_, axes = np.linalg.svd(embeddings - mean, full_matrices=False)
        return cls(mean, axes[:_COMPONENTS])

    def columns(self, embeddings: Floats) -> dict[str, Floats]:
        """Columns of embeddings [N, D]."""
        moved = embeddings - self.mean
        scores = moved @ self.axes.T
        named = {f"embedding/component_{number}": column for number, column in enumerate(scores.T, start=1)}
        return {**named, "embedding/remainder": np.linalg.norm(moved - scores @ self.axes, axis=1)}


def class_column(class_name: str) -> str:
    """The column with the predicted share of a class."""
    return f"predicted_fraction/{class_name}"


def of_predictions(class_fraction: Floats, confidence: Floats, classes: Sequence[str]) -> dict[str, Floats]:
    """Columns of what a model predicted.

    Args:
      class_fraction: [N, K], predicted shares.
      confidence: [N].
      classes: K names.
    """
    columns = {class_column(name): class_fraction[:, k] for k, name in enumerate(classes)}
    return {**columns, CONFIDENCE: confidence, DOMINANT: class_fraction.argmax(axis=1).astype(np.float64)}


def of_kept(kept: Sequence[Kept], classes: Sequence[str], embedding: Embedding | None = None) -> dict[str, Floats]:
    """Every column of requests that a server kept; those of embeddings where the model's `embedding` is given."""
    statistics = {
        name: np.array([one.statistics[name] for one in kept], np.float64) for name in schema.IMAGE_STATISTICS
    }
    fraction = np.array([one.class_fraction for one in kept], np.float64).reshape(len(kept), len(classes))
    confidence = np.array([one.confidence for one in kept], np.float64)
    columns = {**statistics, **of_predictions(fraction, confidence, classes)}
    if embedding is not None:
        columns |= embedding.columns(np.array([one.embedding for one in kept], np.float64))
    return columns
