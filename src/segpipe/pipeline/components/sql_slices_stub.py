"""Lets TensorFlow Data Validation 1.16 import beside tfx-bsl 1.21, which has dropped SQL slices.

TFDV imports `tfx_bsl.arrow.sql_util` at its top level. TFX hides the missing module behind a MagicMock, so that SQL
slices would fail silently, and only where `tfx.components` is imported first. This stub says so when it is used.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_MISSING = "tfx_bsl.arrow.sql_util"


class _Unsupported:
    def __init__(self, *_: Any, **__: Any):
        raise NotImplementedError("SQL slices need a tfx-bsl with ZetaSQL; slice by a feature (slice/<name>) instead.")


class _StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(fullname, self) if fullname == _MISSING else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.RecordBatchSQLSliceQuery = _Unsupported  # type: ignore[attr-defined]


def install() -> None:
    """Makes the stub importable, once, after every real finder has failed."""
    if not any(isinstance(finder, _StubFinder) for finder in sys.meta_path):
        sys.meta_path.append(_StubFinder())
