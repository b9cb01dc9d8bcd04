"""The picture of the TFX graph: a few boxes and arrows in, docs/graph.svg out.

python docs/graph.py
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

COLUMN, ROW, WIDTH, HEIGHT = 172, 112, 140, 58
MARGIN_X, MARGIN_Y = 24, 52
INK, FAINT, PAPER = "#24292f", "#6e7781", "#ffffff"

BEAM, TENSORFLOW, RECORDS, FILES = "beam", "tensorflow", "records", "files"
PLACES = {
    BEAM: ("#dbeafe", "#2563eb", "Apache Beam: here, or on Dataflow"),
    TENSORFLOW: ("#fef3c7", "#b45309", "TensorFlow: here, or Vertex Training"),
    RECORDS: ("#f3f4f6", "#6b7280", "metadata and small files: here, or Vertex"),
    FILES: (PAPER, FAINT, "files of yours"),
}
"""Fill, edge and legend by where a step runs."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """One node.

    Attributes:
      name: the node's id in the graph, or what a file is.
      does: what it does, in a few words.
      place: a key of PLACES.
      column: from the left.
      row: from the top.
    """

    name: str
    does: str
    place: str
    column: float
    row: float

    @property
    def x(self) -> float:
        """Left edge."""
        return MARGIN_X + self.column * COLUMN

    @property
    def y(self) -> float:
        """Upper edge."""
        return MARGIN_Y + self.row * ROW

    @property
    def west(self) -> Point:
        """Middle of the left edge."""
        return self.x, self.y + HEIGHT / 2

    @property
    def east(self) -> Point:
        """Middle of the right edge."""
        return self.x + WIDTH, self.y + HEIGHT / 2

    @property
    def north(self) -> Point:
        """Middle of the upper edge."""
        return self.x + WIDTH / 2, self.y

    @property
    def south(self) -> Point:
        """Middle of the lower edge."""
        return self.x + WIDTH / 2, self.y + HEIGHT


SOURCE = Box("images, masks", "any common format", FILES, 0, 1)
EXAMPLE_GEN = Box("ExampleGen", "check, split, encode", BEAM, 1, 1)
STATISTICS_GEN = Box("StatisticsGen", "scalars, not pixels", BEAM, 2, 0)
SCHEMA_GEN = Box("ImportSchemaGen", "schema.pbtxt", RECORDS, 2, 2)
VALIDATOR = Box("ExampleValidator", "stops bad data", RECORDS, 3, 0)
TRANSFORM = Box("Transform", "the one image path", BEAM, 3, 1)
TRAINER = Box("Trainer", "fit, select, export", TENSORFLOW, 4, 1)
EVALUATOR = Box("Evaluator", "count confusion, judge", BEAM, 5, 1)
RESOLVER = Box("Resolver", "the last blessed model", RECORDS, 5, 2)
PUSHER = Box("Pusher", "only what is blessed", RECORDS, 6, 1)
HF_PUSHER = Box("HFPusher", "publishes the same", RECORDS, 6, 2)
SERVING = Box("serving/<version>", "SavedModel", FILES, 7, 1)
HUB = Box("the Hub, or hub/", "model, card, Space", FILES, 7, 2)
BOXES = (
    SOURCE,
    EXAMPLE_GEN,
    STATISTICS_GEN,
    SCHEMA_GEN,
    VALIDATOR,
    TRANSFORM,
    TRAINER,
    EVALUATOR,
    RESOLVER,
    PUSHER,
    HF_PUSHER,
    SERVING,
    HUB,
)


def svg() -> str:
    """The picture."""
    above, below = MARGIN_Y - 24, TRAINER.south[1] + 22
    trunk, between = EXAMPLE_GEN.north[0], (SCHEMA_GEN.east[0] + VALIDATOR.x) / 2
    lower_west = (VALIDATOR.x, VALIDATOR.west[1] + 14)
    arrows = [
        _arrow(SOURCE.east, EXAMPLE_GEN.west),
        _arrow(EXAMPLE_GEN.north, (trunk, above), (EVALUATOR.north[0], above), EVALUATOR.north),
        _arrow((TRAINER.north[0], above), TRAINER.north),
        _arrow((trunk, STATISTICS_GEN.west[1]), STATISTICS_GEN.west),
        _arrow(STATISTICS_GEN.east, VALIDATOR.west),
        _arrow(SCHEMA_GEN.east, (TRANSFORM.south[0], SCHEMA_GEN.east[1]), TRANSFORM.south),
        _arrow((between, SCHEMA_GEN.east[1]), (between, lower_west[1]), lower_west),
        _arrow(EXAMPLE_GEN.east, TRANSFORM.west, bridge=True),
        _arrow(VALIDATOR.south, TRANSFORM.north, dashed=True),
        _arrow(TRANSFORM.east, TRAINER.west),
        _arrow(TRAINER.east, EVALUATOR.west),
        _arrow(RESOLVER.north, EVALUATOR.south),
        _arrow(TRAINER.south, (TRAINER.south[0], below), (PUSHER.south[0], below), PUSHER.south, bridge=True),
        _arrow((PUSHER.south[0], below), HF_PUSHER.north),
        _arrow(EVALUATOR.east, PUSHER.west),
        _arrow(PUSHER.east, SERVING.west),
        _arrow(HF_PUSHER.east, HUB.west),
    ]
    labels = [
        _text((trunk + 8, above - 7), "examples: train and eval to the Trainer, test to the Evaluator", FAINT, 12),
        _text((VALIDATOR.south[0] + 8, VALIDATOR.south[1] + 30), "only then", FAINT, 12),
        _text((EVALUATOR.south[0] + 8, EVALUATOR.south[1] + 46), "baseline", FAINT, 12),
        _text((TRAINER.south[0] + 8, below + 16), "model", FAINT, 12),
    ]
    width, height = 2 * MARGIN_X + 7 * COLUMN + WIDTH, MARGIN_Y + 3 * ROW + 4
    parts = [*arrows, *labels, *map(_box, BOXES), *_legend(height - 34)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="The TFX graph of segpipe" font-family="-apple-system, Segoe UI, Helvetica, Arial, sans-serif">\n'
        f'<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0,0.5 L7.5,4 L0,7.5 Z" fill="{FAINT}"/></marker></defs>\n'
        f'<rect width="{width}" height="{height}" rx="10" fill="{PAPER}"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _box(box: Box) -> str:
    fill, edge, _ = PLACES[box.place]
    dash = ' stroke-dasharray="4 3"' if box.place == FILES else ""
    return (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{fill}" stroke="{edge}" '
        f'stroke-width="1.4"{dash}/>\n'
        + _text((box.north[0], box.y + 25), box.name, INK, 12.5, "middle", bold=True)
        + "\n"
        + _text((box.north[0], box.y + 44), box.does, FAINT, 11.5, "middle")
    )


def _arrow(*points: Point, dashed: bool = False, bridge: bool = False) -> str:
    """An arrow along the points; a bridge has a white edge that cuts the arrows under it."""
    path = "M" + " L".join(f"{x:g},{y:g}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    edge = f'<path d="{path}" fill="none" stroke="{PAPER}" stroke-width="7"/>\n' if bridge else ""
    return (
        f'{edge}<path d="{path}" fill="none" stroke="{FAINT}" stroke-width="1.4" stroke-linejoin="round"{dash} '
        f'marker-end="url(#head)"/>'
    )


def _legend(y: float) -> list[str]:
    parts, x = [], float(MARGIN_X)
    for fill, edge, words in PLACES.values():
        parts.append(f'<rect x="{x:g}" y="{y:g}" width="18" height="13" rx="3" fill="{fill}" stroke="{edge}"/>')
        parts.append(_text((x + 26, y + 11), words, INK, 12))
        x += 56 + 6.4 * len(words)
    return parts


def _text(at: Point, words: str, colour: str, size: float, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{at[0]:g}" y="{at[1]:g}" fill="{colour}" font-size="{size:g}" text-anchor="{anchor}"{weight}>'
        f"{escape(words)}</text>"
    )


if __name__ == "__main__":
    Path(__file__).with_name("graph.svg").write_text(svg(), encoding="utf-8")
