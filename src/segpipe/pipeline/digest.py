"""Computes fingerprints of code and config for component arguments, so that TFX's cache sees an edit.

TFX reuses a component if its arguments and inputs are the same; it does not look at the code that a `run_fn` or a
`preprocessing_fn` imports. So that code's digest is one of the arguments. It covers what can change a result: the
statements, without comments and docstrings, of every module that the component's own module reaches.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import segpipe
from segpipe.config import Config, to_json

_ROOT = Path(segpipe.__file__).parents[1]

WITHOUT_EFFECT = frozenset({
    # What these say stands in the arguments as values.
    "segpipe.config", "segpipe.config.run", "segpipe.config.hub", "segpipe.config.vertex", "segpipe.config.watch",
    "segpipe.config.drill",
    # These tell people how the work goes.
    "segpipe.progress", "segpipe.text", "segpipe.train.tensorboard", "segpipe.train.tracking",
})  # fmt: skip
"""Modules whose code changes no result of any component."""


def code_digest(module: str, root: Path = _ROOT) -> str:
    """Digest of a module's code and of every module of its package that it imports, directly or not.

    Args:
      module: dotted name, as in "segpipe.train.fit".
      root: the folder that holds the package.

    Returns:
      16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, path in sorted(import_closure(module, root).items()):
        digest.update(f"{name}\0{_code(path.read_bytes())}\0".encode())
    return digest.hexdigest()[:16]


def import_closure(module: str, root: Path = _ROOT) -> dict[str, Path]:
    """File by name of a module and of every module that it reaches, without those of `WITHOUT_EFFECT`."""
    closure: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _source_file(name, root)
        if path is None or name in closure or name in WITHOUT_EFFECT:
            continue
        closure[name] = path
        waiting.extend(_imports(path.read_bytes(), name))
        if path.name == "__init__.py" and _imports_by_name(path.read_bytes()):
            waiting.extend(f"{name}.{sibling.stem}" for sibling in path.parent.glob("*.py"))
    return closure


def sections(config: Config, *names: str) -> str:
    """The config as JSON with only the named sections kept, the others at their defaults.

    A component's arguments hold what it depends on and nothing else: a new floor in [gate] must not retrain.
    """
    kept = Config(name=config.name, data=config.data, directory=config.directory)
    return to_json(kept.model_copy(update={name: getattr(config, name) for name in names}))


def _source_file(module: str, root: Path) -> Path | None:
    """The module's file; None for what is no module, such as a function or class of its parent."""
    path = root.joinpath(*module.split("."))
    candidates = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@cache
def _code(source: bytes) -> str:
    """The statements of a module as text, whatever its comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for statements in _bodies(node):
            # A string by itself is a docstring, of a module, a class, a function or the name above it.
            statements[:] = [line for line in statements if not _is_string(line)]
    return ast.dump(tree)


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        if isinstance(statements := getattr(node, name, None), list):
            yield statements


def _is_string(line: ast.AST) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


@cache
def _imports(source: bytes, module: str) -> tuple[str, ...]:
    """What a module imports of its own package; several components share most of their modules."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source, filename=module)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    package = module.partition(".")[0]
    return tuple(name for name in names if name.partition(".")[0] == package)


@cache
def _imports_by_name(source: bytes) -> bool:
    """Whether a package picks its modules by a name in the config, as `ingest.sources` does."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id == "import_module" for call in calls)
