"""Loads a SavedModel: its signatures, its card, and what can be asked of it."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from numpy.typing import NDArray
from tensorflow.core.protobuf import saved_model_pb2

from segpipe.errors import DataError, UserError
from segpipe.io import files
from segpipe.palette import palette
from segpipe.savedmodel import card as card_file
from segpipe.savedmodel.find import is_model, version_of
from segpipe.savedmodel.local_copy import local_copy
from segpipe.savedmodel.request_error import RequestError

DEFAULT_SIGNATURE = "serving_default"
EMBEDDINGS = "embeddings"
FROM_EXAMPLES = "from_examples"

_WARM_UP_CALLS = 3
_TIMED_CALLS = 20

Outputs = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Signature:
    """One entry point of a model, from a batch of byte strings to arrays.

    Attributes:
      name: as in "serving_default".
      input_name: of its only input, string [N].
      definition: TensorFlow's SignatureDef as JSON.
    """

    name: str
    input_name: str
    definition: Mapping[str, Any]
    function: Any

    def run(self, items: Sequence[bytes]) -> list[Outputs]:
        """Runs one batch.

        Returns:
          For each item its share of every output, without the batch axis.

        Raises:
          RequestError: an item cannot be decoded; which one is not known for a batch of several.
        """
        arrays = self.run_batch(items)
        return [{name: array[position] for name, array in arrays.items()} for position in range(len(items))]

    def run_batch(self, items: Sequence[bytes]) -> Outputs:
        """Runs one batch of N items.

        Returns:
          Every output, [N, …].

        Raises:
          RequestError: an item cannot be decoded; which one is not known for a batch of several.
        """
        try:
            outputs = self.function(**{self.input_name: tf.constant(list(items), tf.string)})
        except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
            raise RequestError(f"the input cannot be decoded: {_first_line(error)[:200]}") from None
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    def output_specs(self) -> dict[str, tf.TensorSpec]:
        """Name, dtype and shape (None = any) of every output."""
        return {name: tf.TensorSpec(t.shape, t.dtype) for name, t in self.function.structured_outputs.items()}


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A SavedModel that can answer.

    Attributes:
      version: the folder's number; 0 for a folder without one.
      path: path or URL of the SavedModel.
      signatures: by name.
      card: assets.extra/segpipe.json; empty for a model that another program saved.
    """

    version: int
    path: str
    signatures: Mapping[str, Signature]
    card: Mapping[str, Any]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in the order of the class ids; numbers for a model without a card."""
        if "classes" in self.card:
            return tuple(self.card["classes"])
        num_classes = self.signature().output_specs()["class_fraction"].shape[-1]
        return tuple(str(class_id) for class_id in range(num_classes))

    @property
    def colors(self) -> NDArray[np.uint8]:
        """Colour of each class, uint8 [K, 3]."""
        return np.array(self.card["palette"], np.uint8) if "palette" in self.card else palette(len(self.classes))

    @property
    def image_size(self) -> int:
        """Side in pixels of the square that the model sees."""
        return int(self.card["image_size"])

    def signature(self, name: str = "") -> Signature:
        """The signature `name`, or the default one.

        Raises:
          RequestError: there is none of that name.
        """
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise RequestError(f"there is no signature {name!r}; this model has {', '.join(sorted(self.signatures))}.")
        return self.signatures[name]

    def embed(self, pictures: Sequence[bytes]) -> list[np.ndarray]:
        """What the encoder makes of each encoded picture, float32 [D]; D = 0 for a model that does not tell."""
        if EMBEDDINGS not in self.signatures:
            return [np.zeros(0, np.float32)] * len(pictures)
        return [answer["embedding"] for answer in self.signature(EMBEDDINGS).run(pictures)]

    def count(self, examples: Sequence[bytes]) -> dict[str, NDArray[np.int64]]:
        """Counts every picture.

        Args:
          examples: N serialized Examples with image and mask.

        Returns:
          int64 [N, …] by output, as `metrics/picture_counts.py` names them.
        """
        return self.signature(FROM_EXAMPLES).run_batch(examples)

    def latency_ms(self, image: bytes) -> float:
        """The median time of one picture, in a batch of its own, through `serving_default`, in milliseconds."""
        batch = tf.constant([image], tf.string)
        signature = self.signature()
        seconds = []
        for call in range(_WARM_UP_CALLS + _TIMED_CALLS):
            start = time.perf_counter()
            signature.function(**{signature.input_name: batch})
            if call >= _WARM_UP_CALLS:
                seconds.append(time.perf_counter() - start)
        return 1000 * statistics.median(seconds)


def load(model: str | Path, version: int | None = None) -> LoadedModel:
    """Loads a SavedModel; signatures that take anything but one string [N] are left out.

    Args:
      model: path or URL of the SavedModel.
      version: its number; that of its folder if left out.

    Raises:
      UserError: the folder holds no SavedModel, or none of its signatures can be served.
      tf.errors.OpError: its files are damaged or not all there yet.
    """
    path = str(model)
    if not is_model(path):
        raise UserError(f"{path} holds no SavedModel: saved_model.pb is missing.")
    with local_copy(path) as folder:
        loaded = tf.saved_model.load(str(folder))
        definitions = _definitions(folder)
        card = card_file.read(str(folder)) if (folder / card_file.CARD).is_file() else {}
    signatures = {
        name: Signature(name, _input_name(function), definitions[name], function)
        for name, function in loaded.signatures.items()
        if name in definitions and _input_name(function)
    }
    if DEFAULT_SIGNATURE not in signatures:
        raise UserError(f"{path} has no signature {DEFAULT_SIGNATURE} that takes encoded pictures, string [N].")
    return LoadedModel(version_of(path) if version is None else version, path, signatures, card)


@lru_cache(maxsize=2)
def load_to_count(model: str) -> LoadedModel:
    """Loads a SavedModel that can count, once for all callers in this process.

    `load_to_count.cache_clear()` frees it.

    Args:
      model: path or URL of the SavedModel.

    Raises:
      DataError: it is not a SavedModel of segpipe's, does not load, or cannot count.
    """
    card_file.read(model)
    try:
        loaded = load(model)
    except (OSError, ValueError, KeyError, UserError, tf.errors.OpError) as error:
        raise DataError(f"{model} does not load as a SavedModel: {_first_line(error)}") from error
    if FROM_EXAMPLES not in loaded.signatures:
        raise DataError(f"{model} lacks the signature {FROM_EXAMPLES}; export it with segpipe.")
    return loaded


def size_mb(model: str | Path) -> float:
    """The size of all files of a SavedModel's folder or URL in MB (10**6 bytes)."""
    return files.size_bytes(str(model)) / 1e6


def _input_name(function: Any) -> str:
    """Name of the only input if that is a vector of strings; else empty."""
    inputs = function.structured_input_signature[1]
    if len(inputs) != 1:
        return ""
    [(name, spec)] = inputs.items()
    return name if spec.dtype == tf.string and spec.shape.rank == 1 else ""


def _definitions(path: Path) -> dict[str, dict[str, Any]]:
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    return {
        name: json_format.MessageToDict(
            definition, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        for name, definition in saved.meta_graphs[0].signature_def.items()
        if not name.startswith("__")
    }


def _first_line(error: Exception) -> str:
    return (str(getattr(error, "message", error)).strip().splitlines() or [type(error).__name__])[0]
