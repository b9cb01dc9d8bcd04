"""Computes a fingerprint of a config's data: the same as long as ingest would write the same Examples."""

import hashlib

from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest import sources


def source_digest(config: Config) -> str:
    """Digest of the source's files (paths, sizes, change times) and of the config keys that ingest reads.

    It reads no picture.

    Returns:
      16 hexadecimal digits.

    Raises:
      DataError: the source is missing.
    """
    keys = config.model_dump_json(include={"source": True, "split": True, "data": {"classes", *_DATA_KEYS}})
    return hashlib.sha256(f"{keys}\0{sources.digest(config)}".encode()).hexdigest()[:16]


def check_unchanged(config: Config, digest: str) -> None:
    """Checks that the source is what it was when `digest` was taken; to be asked before what was read is judged.

    Raises:
      DataError: files came, went or were written meanwhile.
    """
    if source_digest(config) != digest:
        raise DataError("the source changed while it was read; run it again when nothing writes there.")


_DATA_KEYS = ("mask_values", "mask_colors", "mask_threshold", "ignore_values", "ignore_colors")
