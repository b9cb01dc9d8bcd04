"""The network of docs/extending.md in a copy of the package, added as that page says.

Its graph is a twentieth of the U-Net's, so that a test of the pipeline is done in half the time.
"""

import shutil
from pathlib import Path

import segpipe
from tests.docs import blocks

NAME = "small"


def copy_package(source_root: Path) -> Path:
    """Copies the package to `source_root`, with the network.

    Returns:
      `source_root`, which belongs in PYTHONPATH.
    """
    shutil.copytree(
        Path(segpipe.__file__).parent, source_root / "segpipe", ignore=shutil.ignore_patterns("__pycache__")
    )
    add(source_root)
    return source_root


def add(source_root: Path) -> None:
    """Adds the network to the package in `source_root`."""
    title = f"src/segpipe/model/{NAME}.py"
    [block] = [block for block in blocks.read("docs/extending.md") if block.title == title]
    folder = source_root / "segpipe" / "model"
    (folder / f"{NAME}.py").write_text(block.text)
    registry = folder / "architectures.py"
    entry = f"\nfrom segpipe.model.{NAME} import {NAME}\n\nARCHITECTURES[{NAME!r}] = {NAME}\n"
    registry.write_text(registry.read_text() + entry)
