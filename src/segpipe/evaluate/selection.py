"""Chooses the pictures that are worth a look by their counts.

Counts are int64 [N, 3, K]: right, true and predicted pixels of each class (`confusion.margins`).
"""

import numpy as np
from numpy.typing import NDArray

from segpipe.metrics import confusion

Counts = NDArray[np.int64]


def worst(counts: Counts, how_many: int) -> list[int]:
    """The pictures with the lowest mean IoU, worst first.

    Args:
      counts: of N pictures.
      how_many: at most.

    Returns:
      Positions in `counts`; pictures without a judged pixel are left out.
    """
    return _by_mean_iou(counts)[:how_many]


def representative(counts: Counts, how_many: int) -> list[int]:
    """Pictures spread evenly over the ranking, so that a grid of them shows neither only luck nor only harm.

    Args:
      counts: of N pictures.
      how_many: at most.

    Returns:
      Positions in `counts`, best first: the middle one of `how_many` equal parts of the ranking.
    """
    ranked = _by_mean_iou(counts)[::-1]
    how_many = min(how_many, len(ranked))
    return [ranked[int((part + 0.5) * len(ranked) / how_many)] for part in range(how_many)]


def worst_of_class(counts: Counts, class_id: int, how_many: int) -> list[int]:
    """The pictures that lose the most pixels of one class: missed, or claimed in error.

    Args:
      counts: of N pictures.
      class_id: which class.
      how_many: at most.

    Returns:
      Positions in `counts`, the most pixels first; pictures without an error of the class are left out.
    """
    right, true, predicted = np.moveaxis(counts[:, :, class_id], 1, 0)
    wrong = true + predicted - 2 * right
    order = np.argsort(-wrong, kind="stable")
    return [int(i) for i in order[:how_many] if wrong[i] > 0]


def _by_mean_iou(counts: Counts) -> list[int]:
    score = confusion.mean_iou_of_margins(counts)
    order = np.argsort(score, kind="stable")  # NaN goes last.
    return [int(i) for i in order if not np.isnan(score[i])]
