"""Measures how much of the pictures each class covers."""

from collections.abc import Sequence
from itertools import chain, islice

import numpy as np

from segpipe import schema
from segpipe.ingest import example, example_files

_MAX_PICTURES = 2000
"""The mean of so many pictures is sure to a percent; reading them all could take longer than the rest of the report."""


def class_balance(shards: Sequence[str], max_pictures: int = _MAX_PICTURES) -> list[float]:
    """The mean share of the judged pixels of each class [K], over the first pictures of the files.

    Args:
      shards: TFRecord files of Examples.
      max_pictures: how many to read.
    """
    serialized = islice(chain.from_iterable(example_files.read(shard) for shard in shards), max_pictures)
    shares = [features[schema.CLASS_FRACTION] for features in map(example.decode, serialized)]
    return np.mean(shares, axis=0).tolist() if shares else []
