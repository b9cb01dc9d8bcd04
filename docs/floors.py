"""Draws docs/floors.svg: the packages of segpipe on the floors of the import contract, and who imports whom.

python docs/floors.py
"""

import ast
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "segpipe"
WIDTH, BAND, BOX_HEIGHT, MARGIN = 1080, 64, 36, 24
INK, FAINT, PAPER, FILL, EDGE = "#24292f", "#6e7781", "#ffffff", "#dbeafe", "#2563eb"


def floors() -> list[list[str]]:
    """The packages of each floor, the highest first, as pyproject.toml has them for import-linter."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [contract] = settings["tool"]["importlinter"]["contracts"]
    return [[name.strip() for name in floor.split("|")] for floor in contract["layers"]]


def imports() -> dict[str, set[str]]:
    """The packages that each package imports, read from the source."""
    graph: dict[str, set[str]] = {name: set() for floor in floors() for name in floor}
    for path in SOURCE.rglob("*.py"):
        package = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                root, _, rest = name.partition(".")
                target = rest.partition(".")[0]
                if root == "segpipe" and package in graph and target in graph and target != package:
                    graph[package].add(target)
    return graph


def _modules(package: str) -> int:
    return len(list((SOURCE / package).rglob("*.py"))) or 1


def _places() -> dict[str, tuple[float, float, float]]:
    """Left edge, top and width of each package's box."""
    places = {}
    for row, floor in enumerate(floors()):
        room = (WIDTH - 2 * MARGIN) / len(floor)
        width = min(room - 24, 200)
        for column, name in enumerate(floor):
            left = MARGIN + room * (column + 0.5) - width / 2
            places[name] = (left, MARGIN + row * BAND, width)
    return places


def svg() -> str:
    """The drawing."""
    places, height = _places(), 2 * MARGIN + len(floors()) * BAND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" role="img">',
        "<title>The floors of segpipe: each package imports only from floors below its own</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
    ]
    for package, targets in sorted(imports().items()):
        left, top, width = places[package]
        for target in sorted(targets):
            to_left, to_top, to_width = places[target]
            x, y, to_x = left + width / 2, top + BOX_HEIGHT, to_left + to_width / 2
            bend = (y + to_top) / 2
            curve = f"M{x:.0f} {y} C{x:.0f} {bend:.0f} {to_x:.0f} {bend:.0f} {to_x:.0f} {to_top}"
            parts.append(f'<path d="{curve}" fill="none" stroke="{FAINT}" stroke-opacity="0.35"/>')
    for name, (left, top, width) in places.items():
        number = _modules(name)
        modules = f"{number} modules" if number > 1 else "1 module"
        parts += [
            f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{BOX_HEIGHT}" rx="6" fill="{FILL}" '
            f'stroke="{EDGE}"/>',
            f'<text x="{left + width / 2:.0f}" y="{top + 16}" text-anchor="middle" font-size="13" fill="{INK}">'
            f"{escape(name)}</text>",
            f'<text x="{left + width / 2:.0f}" y="{top + 29}" text-anchor="middle" font-size="10" fill="{FAINT}">'
            f"{modules}</text>",
        ]
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    (ROOT / "docs" / "floors.svg").write_text(svg(), encoding="utf-8")
