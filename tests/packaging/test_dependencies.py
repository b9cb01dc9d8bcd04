"""What the code imports is what pyproject.toml asks for: a package that comes through another may go with it."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
OF_TFX = {
    "apache-beam", "ml-metadata", "tensorflow", "tensorflow-data-validation", "tensorflow-metadata",
    "tensorflow-model-analysis", "tensorflow-transform", "tfx-bsl",
}  # fmt: skip
"""The parts of TFX: their versions go together, so only tfx is asked for (docs/decisions/0001-base.md)."""


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def _imported() -> dict[str, str]:
    """A file by top-level name of what it imports; the Space's templates run elsewhere."""
    names: dict[str, str] = {}
    for path in (ROOT / "src" / "segpipe").rglob("*.py"):
        if "templates" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names |= {module.partition(".")[0]: str(path.relative_to(ROOT)) for module in modules}
    return {name: path for name, path in names.items() if name not in sys.stdlib_module_names and name != "segpipe"}


def test_every_direct_import_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    declared = {_name(requirement) for requirement in (*project["dependencies"], *extras)} | OF_TFX
    distributions = packages_distributions()
    undeclared = {
        name: path
        for name, path in _imported().items()
        if not {_name(distribution) for distribution in distributions.get(name, ())} & declared
    }
    assert undeclared == {}
