"""A SavedModel and serialized Examples in, counts per picture out: what Beam and `segpipe evaluate` both run."""

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from segpipe.errors import DataError

CARD = "assets.extra/segpipe.json"
"""In the SavedModel's folder: its classes, palette, image size and versions."""

_WARM_UP_CALLS = 3
_TIMED_CALLS = 20


@dataclass(frozen=True)
class Counter:
    """A loaded model, ready to count.

    Attributes:
      classes: names, in the order of the class ids.
      image_size: side in pixels of the square that the model sees.
      signatures: of the SavedModel.
    """

    classes: tuple[str, ...]
    image_size: int
    signatures: Mapping[str, Any]

    def count(self, examples: Sequence[bytes]) -> dict[str, NDArray[np.int64]]:
        """Counts every picture.

        Args:
          examples: N serialized Examples with image and mask.

        Returns:
          int64 [N, …] by output, as `metrics/picture_counts.py` names them.
        """
        outputs = self.signatures["from_examples"](examples=tf.constant(list(examples), tf.string))
        return {name: counts.numpy() for name, counts in outputs.items()}

    def latency_ms(self, image: bytes) -> float:
        """The median time of one picture, in a batch of its own, through `serving_default`, in milliseconds."""
        batch = tf.constant([image], tf.string)
        seconds = []
        for call in range(_WARM_UP_CALLS + _TIMED_CALLS):
            start = time.perf_counter()
            self.signatures["serving_default"](image_bytes=batch)
            if call >= _WARM_UP_CALLS:
                seconds.append(time.perf_counter() - start)
        return 1000 * statistics.median(seconds)


@lru_cache(maxsize=2)
def load(model_dir: str) -> Counter:
    """Loads a SavedModel once for everyone in this process who asks; `load.cache_clear()` lets go of it.

    Raises:
      DataError: the folder is not a SavedModel of segpipe's, or does not load.
    """
    described = describe(model_dir)
    try:
        signatures = tf.saved_model.load(model_dir).signatures
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{model_dir} does not load as a SavedModel: {first_line}") from error
    missing = {"from_examples", "serving_default"} - set(signatures)
    if missing:
        raise DataError(f"{model_dir} lacks the signature {', '.join(sorted(missing))}; export it with segpipe.")
    return Counter(tuple(described["classes"]), int(described["image_size"]), signatures)


def describe(model_dir: str) -> dict[str, Any]:
    """What the SavedModel in a folder or under a URL says of itself, without loading it.

    Raises:
      DataError: the folder is not a SavedModel of segpipe's.
    """
    try:
        with tf.io.gfile.GFile(f"{model_dir}/{CARD}") as file:
            return json.load(file)
    except (tf.errors.NotFoundError, tf.errors.FailedPreconditionError):
        raise DataError(f"{model_dir} is no model of segpipe's: it has no {CARD}.") from None
    except (tf.errors.OpError, ValueError) as error:
        raise DataError(f"{model_dir}/{CARD} cannot be read: {error}.") from None


def size_mb(model_dir: str) -> float:
    """The size of all files of a SavedModel's folder or URL in MB (10**6 bytes)."""
    # On gs://, the names of folders end with a slash, and an object store takes two for another name.
    files = (f"{folder.rstrip('/')}/{name}" for folder, _, names in tf.io.gfile.walk(model_dir) for name in names)
    return sum(tf.io.gfile.stat(file).length for file in files) / 1e6
