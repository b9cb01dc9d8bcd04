"""Reads and writes TFRecord without TensorFlow, whose import takes 3 s.

Each record is: length (uint64), its masked CRC, the bytes, their masked CRC; all little endian.
https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

import google_crc32c

from segpipe.errors import DataError

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_MASK_DELTA = 0xA282EAD8


def write(stream: BinaryIO, record: bytes) -> None:
    """Appends one record to `stream`."""
    length = struct.pack("<Q", len(record))
    stream.write(b"".join((length, _masked_crc(length), record, _masked_crc(record))))


def read(stream: BinaryIO, name: str, max_record_mb: int = 1024) -> Iterator[bytes]:
    """Yields every record of `stream`.

    Args:
      stream: an open file, not compressed.
      name: how errors call it.
      max_record_mb: a longer record is taken for a broken length, so that no memory is asked for it.

    Raises:
      DataError: the file ends inside a record or a checksum does not match; it says at which record.
    """
    index = 0
    while header := stream.read(_HEADER.size):
        if len(header) < _HEADER.size:
            raise DataError(f"{name} ends inside record {index}; it was cut off. Copy it again.")
        length, length_crc = _HEADER.unpack(header)
        if _masked_crc(header[:8]) != _FOOTER.pack(length_crc) or length > max_record_mb << 20:
            raise DataError(f"{name} is not a TFRecord file or is damaged at record {index}: wrong length checksum.")
        record = stream.read(length)
        footer = stream.read(_FOOTER.size)
        if len(record) < length or len(footer) < _FOOTER.size:
            raise DataError(f"{name} ends inside record {index}; it was cut off. Copy it again.")
        if _masked_crc(record) != footer:
            raise DataError(f"{name} is damaged at record {index}: wrong checksum. Copy it again.")
        yield record
        index += 1


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return _FOOTER.pack((((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF)
