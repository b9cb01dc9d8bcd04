"""Converts a binary mask to COCO run lengths or pixel-exact polygons, using only NumPy."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Point = tuple[int, int]
Ring = list[Point]


def rle(mask: NDArray[np.bool_]) -> dict[str, object]:
    """COCO's compressed run-length encoding.

    https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c

    Args:
      mask: bool [H, W].

    Returns:
      {"size": [H, W], "counts": str}.
    """
    column_major = np.concatenate([[0], mask.ravel(order="F").astype(np.int8), [0]])
    edges = np.flatnonzero(np.diff(column_major))
    runs = np.diff(np.concatenate([[0], edges, [mask.size]]))
    if len(runs) > 1 and runs[-1] == 0:
        runs = runs[:-1]
    return {"size": list(mask.shape), "counts": _compress(runs.tolist())}


def _compress(runs: list[int]) -> str:
    """Each run as its difference to the one two before, 5 bits a character, the sign in the last one."""
    characters = []
    for position, run in enumerate(runs):
        value = run - runs[position - 2] if position > 2 else run
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != -1 if bits & 0x10 else value != 0
            characters.append(chr((bits | 0x20 if more else bits) + 48))
    return "".join(characters)


def polygons(mask: NDArray[np.bool_]) -> list[list[Ring]]:
    """The mask's regions as GeoJSON polygons along the pixels' edges: drawn again, they give the same mask.

    Pixels that touch only at a corner are two regions.

    Args:
      mask: bool [H, W].

    Returns:
      For each region its outer ring and then its holes. A ring is a closed list of (x, y) in pixels, (0, 0) the
      picture's upper left corner; seen on the screen, outer rings run clockwise and holes the other way.
    """
    rings = _rings(mask)
    outer = [[ring] for ring in rings if _doubled_area(ring) > 0]
    outer.sort(key=lambda region: _doubled_area(region[0]))
    for hole in (ring for ring in rings if _doubled_area(ring) < 0):
        # The smallest region around a hole is the one that it is in.
        next(region for region in outer if _is_inside(_beside_first_edge(hole), region[0])).append(hole)
    return outer


def _rings(mask: NDArray[np.bool_]) -> list[Ring]:
    """Closed walks along the pixels' edges with the mask on the right hand (y points down)."""
    padded = np.pad(mask, 1)
    next_points: dict[Point, list[Point]] = defaultdict(list)
    above, below = padded[:-1, 1:-1], padded[1:, 1:-1]
    for y, x in zip(*np.nonzero(below & ~above), strict=True):
        next_points[int(x), int(y)].append((int(x) + 1, int(y)))
    for y, x in zip(*np.nonzero(above & ~below), strict=True):
        next_points[int(x) + 1, int(y)].append((int(x), int(y)))
    left, right = padded[1:-1, :-1], padded[1:-1, 1:]
    for y, x in zip(*np.nonzero(left & ~right), strict=True):
        next_points[int(x), int(y)].append((int(x), int(y) + 1))
    for y, x in zip(*np.nonzero(right & ~left), strict=True):
        next_points[int(x), int(y) + 1].append((int(x), int(y)))
    rings = []
    while next_points:
        start = next(iter(next_points))
        rings.append(_simplify(_walk(start, next_points)))
    return rings


def _walk(start: Point, next_points: dict[Point, list[Point]]) -> Ring:
    ring, point, direction = [start], start, (0, 0)
    while True:
        candidates = next_points[point]
        # Where two regions touch at a corner, the right turn stays with its own region.
        right = (point[0] - direction[1], point[1] + direction[0])
        following = right if len(candidates) > 1 and right in candidates else candidates[0]
        candidates.remove(following)
        if not candidates:
            del next_points[point]
        direction = (following[0] - point[0], following[1] - point[1])
        point = following
        ring.append(point)
        if point == start:
            return ring


def _simplify(ring: Ring) -> Ring:
    """Leaves out points on straight lines; the ring stays closed."""
    open_ring = ring[:-1]
    corners = [
        point
        for before, point, after in zip(
            [open_ring[-1], *open_ring[:-1]], open_ring, [*open_ring[1:], open_ring[0]], strict=True
        )
        if not (before[0] == point[0] == after[0] or before[1] == point[1] == after[1])
    ]
    return [*corners, corners[0]]


def _doubled_area(ring: Ring) -> int:
    """Shoelace formula; positive for outer rings."""
    return sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in pairwise(ring))


def _beside_first_edge(hole: Ring) -> tuple[float, float]:
    """A point of the mask just outside the hole: half a pixel to the right of its first edge."""
    (x, y), (next_x, next_y) = hole[0], hole[1]
    step_x, step_y = np.sign(next_x - x), np.sign(next_y - y)
    return x + step_x / 2 - step_y / 2, y + step_y / 2 + step_x / 2


def _is_inside(point: tuple[float, float], ring: Ring) -> bool:
    """Even-odd rule; the point lies between the ring's lines, so no tie can happen."""
    crossings = 0
    for (x, y), (_, next_y) in pairwise(ring):
        crossings += y != next_y and min(y, next_y) < point[1] < max(y, next_y) and x > point[0]
    return crossings % 2 == 1
