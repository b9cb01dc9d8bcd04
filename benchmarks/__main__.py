"""`make bench`: every stage of segpipe beside the published design's, as a table on the terminal and as JSON.

python -m benchmarks [--pictures N …] [--side PIXELS] [--design segpipe|published|both]

Each design prepares, runs and is timed in processes of its own, one after the other, so that no import and no memory
of one is counted for another.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import design_run, meter, table
from benchmarks.pictures import write_pairs
from segpipe.errors import SegpipeError

OUT = Path(__file__).parent / "out"
STEPS = {"segpipe": ("weights", "prepare", "run", "rates"), "published": ("prepare", "run", "rates")}
DESIGNS = ("segpipe", "published")
_VERSIONS_OF = ("segpipe", "tfx", "tensorflow", "keras", "tf_keras", "apache-beam")


def main() -> None:
    """Measures what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, nargs="+", default=[1000], help="how many; several show the growth")
    parser.add_argument("--side", type=int, default=128, help="of the pictures on disk in pixels; the model sees 128")
    parser.add_argument("--design", choices=[*DESIGNS, "both"], default="both")
    parser.add_argument(
        "--training-steps", type=int, default=design_run.TRAINING_STEPS, help="how many are timed, beside the run"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="folder for pictures, runs and the JSON file")
    arguments = parser.parse_args()

    console = Console()
    console.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; timings want it near 0")
    names = DESIGNS if arguments.design == "both" else (arguments.design,)
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    compared: dict[int, list[table.Row]] = {}
    for pictures in sorted(arguments.pictures):
        for name in names:
            measured[name].append(measure(name, pictures, arguments, console))
        if len(names) == len(DESIGNS):
            compared[pictures] = table.rows(measured["segpipe"][-1], measured["published"][-1])
            console.print(table.comparison(pictures, arguments.side, compared[pictures]))
    for name in names:
        if len(measured[name]) > 1:
            console.print(table.growth(measured[name]))
    result = {
        "machine": _machine(),
        "versions": {package: version(package) for package in _VERSIONS_OF},
        "arguments": {name: str(value) for name, value in vars(arguments).items()},
        "compared": {pictures: [asdict(row) for row in rows] for pictures, rows in compared.items()},
        "measured": measured,
    }
    path = arguments.out / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    console.print(os.path.relpath(path), soft_wrap=True)


def measure(design: str, pictures: int, arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Takes one design through its steps on fresh folders.

    Args:
      design: one of DESIGNS.
      pictures: how many.
      arguments: side of the pictures on disk, training steps to time, and the folder for pictures and run.
      console: is told each step.

    Returns:
      name and pictures; per step what `design_run` wrote, and under <step>_cost seconds and peak memory of its process.
    """
    pairs = write_pairs(arguments.out / "pairs", pictures, arguments.side)
    work_dir = arguments.out / f"{design}-{pictures}-of-{arguments.side}px"
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    measured: dict[str, Any] = {"name": design, "pictures": pictures}
    for step in STEPS[design]:
        result = work_dir / f"{step}.json"
        told = [step, design, *map(str, (pairs, work_dir, result, arguments.training_steps))]
        command = [sys.executable, "-m", "benchmarks.design_run", *told]
        cost = meter.watch(command, work_dir / f"{step}.log")
        measured[step] = json.loads(result.read_text())
        measured[f"{step}_cost"] = asdict(cost)
        console.print(f"{design:>9} {pictures:>6,} {step:<8} {cost.seconds:6.1f} s {cost.peak_rss_mb:7,.0f} MB")
    return measured


def _machine() -> dict[str, Any]:
    return {"cpu": _cpu(), "cores": os.cpu_count(), "system": platform.platform(), "load": os.getloadavg()[0]}


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    try:
        main()
    except SegpipeError as error:
        sys.exit(f"benchmarks: {error}")
