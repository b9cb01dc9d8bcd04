"""Encodes and decodes a `tf.train.Example` without TensorFlow.

The message is declared here in a descriptor pool of its own: in the default pool it would clash with TensorFlow's.
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/example/feature.proto
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from segpipe.errors import DataError

Value = bytes | int | float | Sequence[bytes] | Sequence[int] | Sequence[float]


def encode(features: Mapping[str, Value]) -> bytes:
    """Serializes features; the same features always give the same bytes.

    Args:
      features: by name, one value or a non-empty sequence of bytes, int (int64 list) or float (float32 list).
    """
    example = _example_class()()
    for name, value in features.items():
        values = [value] if isinstance(value, bytes | int | float) else list(value)
        feature = example.features.feature[name]
        if isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        elif isinstance(values[0], int):
            feature.int64_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
    return bytes(example.SerializeToString(deterministic=True))


def decode(serialized: bytes, float_arrays: bool = False) -> dict[str, Any]:
    """Parses a serialized Example into lists of bytes, int or float by feature name.

    Args:
      serialized: the message.
      float_arrays: give float32 [N] in place of a list of floats: pixels need not each become a Python number.

    Raises:
      DataError: the bytes are not a `tf.train.Example`.
    """
    try:
        example = _example_class().FromString(serialized)
    except DecodeError:
        raise DataError("a record is not a tf.train.Example.") from None
    features: dict[str, Any] = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        if kind == "float_list" and float_arrays:
            # The message is a tag, a length and the numbers themselves.
            message, count = feature.float_list.SerializeToString(), len(feature.float_list.value)
            features[name] = np.frombuffer(message, "<f4", count, len(message) - 4 * count)
        else:
            features[name] = list(getattr(feature, kind).value) if kind else []
    return features


@cache
def _example_class() -> Any:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="segpipe/example.proto", package="segpipe", syntax="proto3")
    for name, kind in (
        ("BytesList", field.TYPE_BYTES),
        ("FloatList", field.TYPE_FLOAT),
        ("Int64List", field.TYPE_INT64),
    ):
        message = file.message_type.add(name=name)
        message.field.add(name="value", number=1, type=kind, label=field.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(
        (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")), start=1
    ):
        feature.field.add(
            name=name,
            number=number,
            type=field.TYPE_MESSAGE,
            type_name=f".segpipe.{kind}",
            label=field.LABEL_OPTIONAL,
            oneof_index=0,
        )
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    entry.field.add(
        name="value", number=2, type=field.TYPE_MESSAGE, type_name=".segpipe.Feature", label=field.LABEL_OPTIONAL
    )
    features.field.add(
        name="feature",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".segpipe.Features.FeatureEntry",
        label=field.LABEL_REPEATED,
    )
    example = file.message_type.add(name="Example")
    example.field.add(
        name="features", number=1, type=field.TYPE_MESSAGE, type_name=".segpipe.Features", label=field.LABEL_OPTIONAL
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("segpipe.Example"))
