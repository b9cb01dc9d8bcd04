"""Examples encoded here are the messages that TensorFlow parses."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.example import example_pb2

from segpipe.errors import DataError
from segpipe.ingest import example

FEATURES = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.one_of(
        st.lists(st.binary(max_size=20), min_size=1, max_size=3),
        st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3),
        st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=3),
    ),
    max_size=4,
)


@given(FEATURES)
def test_features_come_back_the_same_from_us_and_from_tensorflow(features):
    serialized = example.encode(features)
    assert example.decode(serialized) == features
    theirs = example_pb2.Example.FromString(serialized)
    assert theirs.SerializeToString(deterministic=True) == serialized
    for name, feature in theirs.features.feature.items():
        assert list(getattr(feature, feature.WhichOneof("kind")).value) == features[name]


@given(FEATURES)
def test_floats_as_arrays_are_the_same_numbers(features):
    found = example.decode(example.encode(features), float_arrays=True)
    assert {name: list(values) for name, values in found.items()} == features
    assert all(isinstance(found[name], np.ndarray) == isinstance(values[0], float) for name, values in features.items())


def test_a_single_value_is_a_list_of_one():
    assert example.decode(example.encode({"a": b"x", "b": 3, "c": 0.5})) == {"a": [b"x"], "b": [3], "c": [0.5]}


def test_the_order_of_features_does_not_change_the_bytes():
    assert example.encode({"a": 1, "b": 2}) == example.encode({"b": 2, "a": 1})


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_parsed_or_refused_with_a_sentence(garbage):
    with suppress(DataError):
        example.decode(garbage)


def test_bytes_of_another_format_are_refused():
    with pytest.raises(DataError):
        example.decode(b"\xff\xd8\xff\xe0 a JPEG")
