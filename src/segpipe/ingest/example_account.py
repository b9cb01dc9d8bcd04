"""Reads what ExampleGen notes beside its Examples: the pictures of each split, and the attributes that they carry."""

import json

from segpipe import schema
from segpipe.io import files

ACCOUNT = "account.json"
"""In the folder of the examples: pictures read, written by split, and left out."""

BAD_EXAMPLES = "bad_examples.json"
"""In the folder of the examples: one sentence for each picture left out, by id."""


def pictures_by_split(uri: str) -> dict[str, int]:
    """How many pictures each split holds; empty if another ExampleGen wrote the Examples, which keeps no account.

    Args:
      uri: of the Examples artifact.
    """
    path = files.join(uri, ACCOUNT)
    if not files.exists(path):
        return {}
    counts = json.loads(files.read(path))["counts"]
    return {split: counts[split] for split in schema.SPLITS if split in counts}


def attributes(uri: str) -> list[str] | None:
    """The names of the attributes that any picture carries for sliced metrics, ascending; None without an account.

    Args:
      uri: of the Examples artifact.
    """
    path = files.join(uri, ACCOUNT)
    return json.loads(files.read(path)).get("attributes") if files.exists(path) else None
