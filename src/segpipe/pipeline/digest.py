"""Fingerprints of code and config for component arguments, so that TFX's cache sees an edit.

TFX reuses a component when its arguments and inputs are the same; it does not look at the code that a `run_fn` or a
`preprocessing_fn` imports. So that code's digest is one of the arguments.
"""

import ast
import hashlib
import importlib.util
from functools import cache
from pathlib import Path

from segpipe.config import Config, to_json

_PACKAGE = "segpipe"


def code_digest(module: str) -> str:
    """Digest of a module's source and of every segpipe module it imports, directly or not.

    Args:
      module: dotted name, as in "segpipe.train.fit".

    Returns:
      16 hexadecimal digits.
    """
    sources = dict(sorted(_import_closure(module).items()))
    digest = hashlib.sha256()
    for name, source in sources.items():
        digest.update(f"{name}\0".encode() + source + b"\0")
    return digest.hexdigest()[:16]


def sections(config: Config, *names: str) -> str:
    """The config as JSON with only the named sections kept, the others at their defaults.

    A component's arguments hold what it depends on and nothing else: a new floor in [gate] must not retrain.
    """
    kept = Config(name=config.name, data=config.data, directory=config.directory)
    return to_json(kept.model_copy(update={name: getattr(config, name) for name in names}))


def _import_closure(module: str) -> dict[str, bytes]:
    seen: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        path = _source_file(name)
        if path is None:
            continue
        seen[name] = path.read_bytes()
        waiting.extend(_imports(seen[name], name))
    return seen


def _source_file(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # `module` is a function or class of its parent
        return None
    return Path(spec.origin) if spec and spec.origin else None


@cache
def _imports(source: bytes, module: str) -> tuple[str, ...]:
    """What a module imports of this package; several components share most of their modules."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source, filename=module)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.split(".")[0] == _PACKAGE)
