"""One row per test picture, with its counts under candidate and champion: written in parts, read whole.

A row keeps 3*K numbers per model instead of K*K, which is all that IoU, Dice and accuracy need; 10,000 pictures of 150
classes are 36 MB.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from segpipe.errors import RunError

FILE_PREFIX = "pictures"
FILE_SUFFIX = ".parquet"

ROW = pa.schema(
    [
        ("id", pa.string()),
        ("digest", pa.string()),
        ("attributes", pa.string()),
        ("candidate", pa.list_(pa.int64())),
        ("champion", pa.list_(pa.int64())),
    ]
)


@dataclass(frozen=True)
class PictureTable:
    """The pictures of a split, in the order of their ids.

    Attributes:
      ids: of the N Examples.
      digests: of each picture's stored bytes and mask.
      attributes: of each picture, slicing → value.
      candidate: int64 [N, 3, K]: right, true and predicted pixels of each class.
      champion: likewise, or None without a champion.
    """

    ids: Sequence[str]
    digests: Sequence[str]
    attributes: Sequence[Mapping[str, str]]
    candidate: NDArray[np.int64]
    champion: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def slicings(self) -> list[str]:
        """Every attribute that a picture has, in order of first sight."""
        return list(dict.fromkeys(name for attributes in self.attributes for name in attributes))

    @property
    def data_digest(self) -> str:
        """Fingerprint of the pictures and masks, whatever their order: 16 hexadecimal digits."""
        return hashlib.sha256("\n".join(sorted(self.digests)).encode()).hexdigest()[:16]


def row(
    picture_id: str,
    digest: str,
    attributes: Mapping[str, str],
    candidate: NDArray[np.int64],
    champion: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """One row as ROW asks for it; the counts are int64 [3, K]."""
    return {
        "id": picture_id,
        "digest": digest,
        "attributes": json.dumps(dict(attributes)),
        "candidate": candidate.reshape(-1).tolist(),
        "champion": None if champion is None else champion.reshape(-1).tolist(),
    }


def write(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Writes rows as one file of `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), ROW), folder / f"{FILE_PREFIX}-00000-of-00001{FILE_SUFFIX}")


def read(folder: Path | str) -> PictureTable:
    """Reads what `write`, or a Beam pipeline in parts, has written to a folder or URL.

    Raises:
      RunError: there is no such file, or it holds no picture.
    """
    filesystem, root = fsspec.core.url_to_fs(str(folder))
    files = sorted(filesystem.glob(f"{root}/{FILE_PREFIX}-*{FILE_SUFFIX}"))
    if not files:
        raise RunError(f"{folder} holds no {FILE_PREFIX}-*{FILE_SUFFIX}; run the evaluation again.")
    table = pa.concat_tables([pq.read_table(file, schema=ROW, filesystem=filesystem) for file in files]).sort_by("id")
    if not len(table):
        raise RunError(f"the evaluation in {folder} has seen no picture; is the test split empty?")
    columns = table.to_pydict()
    return PictureTable(
        ids=columns["id"],
        digests=columns["digest"],
        attributes=[json.loads(text) for text in columns["attributes"]],
        candidate=_margins(columns["candidate"]),
        champion=None if columns["champion"][0] is None else _margins(columns["champion"]),
    )


def _margins(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    flat = np.array(rows, np.int64)
    return flat.reshape(len(flat), 3, -1)
