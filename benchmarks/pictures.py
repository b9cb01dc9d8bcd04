"""A number in, that many pairs of satellite picture and mask on disk out: the same pairs on every machine."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from segpipe import schema
from segpipe.ingest.record import Record
from segpipe.ingest.sources.basemap import TILE, Tile, Tiles

SEED = 0
_MAP_WIDTH, _MAP_HEIGHT = 5400, 2700


def write_pairs(folder: Path, number: int, side: int) -> Path:
    """Writes `images/00000.jpg` (JPEG, quality 95) and `masks/00000.png` (class ids) and so on; keeps a finished set.

    Every picture is a window of the NASA Blue Marble at a random place with some land or lake in it.

    Args:
      folder: the set gets a folder of its own in here.
      number: of pairs.
      side: of each picture in pixels; windows of 128 pixels are resampled to it.

    Returns:
      The set's folder.
    """
    pairs = folder / f"{number}-of-{side}px"
    finished = pairs / "finished"
    if finished.exists():
        return pairs
    for name in ("images", "masks"):
        (pairs / name).mkdir(parents=True, exist_ok=True)
    for index, record in zip(range(number), _windows(), strict=False):
        image, mask = _resampled(record, side)
        (pairs / "images" / f"{index:05d}.jpg").write_bytes(image)
        mask.save(pairs / "masks" / f"{index:05d}.png")
    finished.touch()
    return pairs


def _windows() -> Iterator[Record]:
    """Windows without end; those of sea alone are passed over, and those with ignored pixels."""
    rng = np.random.default_rng(SEED)
    while True:
        left = int(rng.integers(_MAP_WIDTH - TILE + 1))
        top = int(rng.integers(_MAP_HEIGHT - TILE + 1))
        for record in Tiles((Tile(left, top, split="train"),)).records():
            if record.mask.any() and schema.IGNORE not in record.mask:
                yield record


def _resampled(record: Record, side: int) -> tuple[bytes, Image.Image]:
    """JPEG bytes and mask of side × side; at the window's own size the JPEG is not encoded a second time."""
    mask = Image.fromarray(record.mask)
    if side == TILE:
        return record.image, mask
    with Image.open(io.BytesIO(record.image)) as image:
        stream = io.BytesIO()
        image.resize((side, side), Image.Resampling.LANCZOS).save(stream, "JPEG", quality=95)
    return stream.getvalue(), mask.resize((side, side), Image.Resampling.NEAREST)
