"""One SavedModel folder in, callable signatures out, with what clients may ask about them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2

from segpipe.errors import UserError
from segpipe.savedmodel.request_error import RequestError

DEFAULT_SIGNATURE = "serving_default"
EMBEDDINGS = "embeddings"
CARD = Path("assets.extra") / "segpipe.json"

Outputs = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Signature:
    """One entry point of a model: a batch of byte strings in, arrays out.

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
        try:
            outputs = self.function(**{self.input_name: tf.constant(list(items), tf.string)})
        except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
            raise RequestError(f"the input cannot be decoded: {_first_line(error)}") from None
        arrays = {name: tensor.numpy() for name, tensor in outputs.items()}
        return [{name: array[position] for name, array in arrays.items()} for position in range(len(items))]

    def output_specs(self) -> dict[str, tf.TensorSpec]:
        """Name, dtype and shape (None = any) of every output."""
        return {name: tf.TensorSpec(t.shape, t.dtype) for name, t in self.function.structured_outputs.items()}


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A version that can answer.

    Attributes:
      version: the folder's number.
      path: the SavedModel.
      signatures: by name.
      card: assets.extra/segpipe.json; empty for a model that another program saved.
    """

    version: int
    path: Path
    signatures: Mapping[str, Signature]
    card: Mapping[str, Any]

    def signature(self, name: str = "") -> Signature:
        """The signature `name`, or the default one.

        Raises:
          RequestError: there is none of that name.
        """
        found = self.signatures.get(name or DEFAULT_SIGNATURE)
        if found is None:
            raise RequestError(f"there is no signature {name!r}; this model has {', '.join(sorted(self.signatures))}.")
        return found

    def embed(self, pictures: Sequence[bytes]) -> list[np.ndarray]:
        """What the encoder makes of each encoded picture, float32 [D]; D = 0 for a model that does not tell."""
        if EMBEDDINGS not in self.signatures:
            return [np.zeros(0, np.float32)] * len(pictures)
        return [answer["embedding"] for answer in self.signature(EMBEDDINGS).run(pictures)]


def load(path: Path, version: int) -> LoadedModel:
    """Loads a SavedModel; signatures that take anything but one string [N] are left out.

    Raises:
      UserError: the folder holds no SavedModel, or none of its signatures can be served.
      tf.errors.OpError: its files are damaged or not all there yet.
    """
    if not (path / "saved_model.pb").is_file():
        raise UserError(f"{path} holds no SavedModel: saved_model.pb is missing.")
    model = tf.saved_model.load(str(path))
    definitions = _definitions(path)
    signatures = {
        name: Signature(name, _input_name(function), definitions[name], function)
        for name, function in model.signatures.items()
        if name in definitions and _input_name(function)
    }
    if DEFAULT_SIGNATURE not in signatures:
        raise UserError(f"{path} has no signature {DEFAULT_SIGNATURE} that takes encoded pictures, string [N].")
    card_path = path / CARD
    card = json.loads(card_path.read_text(encoding="utf-8")) if card_path.is_file() else {}
    return LoadedModel(version, path, signatures, card)


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
    return (str(getattr(error, "message", error)).strip().splitlines() or [""])[0][:200]
