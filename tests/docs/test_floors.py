"""docs/floors.svg shows the imports of today, and docs/architecture.md names modules that exist."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
DRAWN = runpy.run_path(str(ROOT / "docs" / "floors.py"))


def test_the_committed_drawing_is_what_the_script_draws():
    assert (ROOT / "docs" / "floors.svg").read_text(encoding="utf-8") == DRAWN["svg"]()


def test_no_arrow_goes_up():
    floor_of = {name: number for number, floor in enumerate(DRAWN["floors"]()) for name in floor}
    for package, targets in DRAWN["imports"]().items():
        assert all(floor_of[target] > floor_of[package] for target in targets)


def test_every_module_that_the_page_names_exists():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = re.findall(r"`((?:\w+/)+\w*\.?\w*)`", page)
    assert names
    assert [name for name in names if not (ROOT / "src" / "segpipe" / name).exists()] == []
