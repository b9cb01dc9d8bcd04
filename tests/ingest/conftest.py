"""A data set on disk, made by the test that needs it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests import pictures


@pytest.fixture
def dataset(tmp_path: Path) -> Callable[..., Path]:
    """`pictures.write_folder` into this test's own folder."""
    return partial(pictures.write_folder, tmp_path / "data")
