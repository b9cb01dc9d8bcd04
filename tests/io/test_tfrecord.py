"""TFRecord files written here are read by TensorFlow, and the other way round."""

import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segpipe.errors import DataError
from segpipe.io import tfrecord


def _framed(*records: bytes) -> bytes:
    stream = io.BytesIO()
    for record in records:
        tfrecord.write(stream, record)
    return stream.getvalue()


def test_tensorflow_reads_what_we_write_and_we_read_what_tensorflow_writes(tmp_path):
    import tensorflow as tf

    records = [b"", b"a", bytes(range(256)) * 300]
    ours, theirs = tmp_path / "ours.tfrecord", tmp_path / "theirs.tfrecord"
    ours.write_bytes(_framed(*records))
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in records:
            writer.write(record)
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(ours))] == records
    with theirs.open("rb") as stream:
        assert list(tfrecord.read(stream, "theirs")) == records
    assert ours.read_bytes() == theirs.read_bytes()


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_records_come_back(records):
    assert list(tfrecord.read(io.BytesIO(_framed(*records)), "f")) == records


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=3), st.data())
def test_a_cut_file_is_an_error_and_never_a_shorter_list(records, data):
    framed = _framed(*records)
    ends = {len(_framed(*records[:i])) for i in range(len(records) + 1)}
    cut = data.draw(st.sampled_from([n for n in range(len(framed)) if n not in ends]))
    with pytest.raises(DataError, match="cut off"):
        list(tfrecord.read(io.BytesIO(framed[:cut]), "f"))


@given(st.binary(min_size=1, max_size=60), st.data())
def test_any_flipped_bit_is_found(record, data):
    framed = bytearray(_framed(record))
    bit = data.draw(st.integers(0, len(framed) * 8 - 1))
    framed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DataError, match=r"record 0"):
        list(tfrecord.read(io.BytesIO(bytes(framed)), "f"))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_read_or_refused_with_a_sentence(garbage):
    with suppress(DataError):
        list(tfrecord.read(io.BytesIO(garbage), "f"))
