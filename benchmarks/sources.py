"""How fast each source goes in, beside the plain limit of the same work, and how much memory that takes.

python -m benchmarks.sources [--pictures N …] [--side PIXELS] [--kinds KIND …] [--repeats N] [--threads]

The limit reads every byte, decodes it once with Pillow and writes what an Example holds, in one process per core. Each
measurement has a process of its own, and its clock starts after the imports. Of repeats the fastest counts, on both
sides: that which others on the machine disturbed least.
"""

import argparse
import io
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks import layouts, meter
from benchmarks.pictures import write_pairs
from segpipe import config as config_module

OUT = Path(__file__).parent / "out"
STEPS = ("prepare", "example_gen", "example_gen_in_threads")
_HEADINGS = dict(zip(STEPS, ("prepare", "ExampleGen", "in threads"), strict=True))
FILES, DRAWN, PACKED, FLOATS = "files", "drawn", "packed", "floats"
LIMIT_OF = {
    **dict.fromkeys(("colours", "coco", "voc"), DRAWN),
    **dict.fromkeys(("parquet", "huggingface", "tfrecord", "tfds"), PACKED),
    "published": FLOATS,
}
"""What the limit reads beside each kind: a file per image and mask, or few files with many pictures.

Where a mask is not the grey PNG that an Example holds, the limit has to write one, too.
"""


def main() -> None:
    """Measures what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sources", description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--side", type=int, default=128, help="of the pictures in pixels")
    parser.add_argument("--kinds", nargs="+", choices=layouts.ALL, default=list(layouts.ALL))
    parser.add_argument("--repeats", type=int, default=1, help="of each measurement")
    parser.add_argument("--threads", action="store_true", help="measure ExampleGen without its processes, too")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for pictures and the JSON file")
    arguments = parser.parse_args()

    console = Console()
    console.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; timings want it near 0")
    steps = STEPS if arguments.threads else STEPS[:2]
    rows = [row for pictures in arguments.pictures for row in measure(pictures, arguments, steps, console)]
    console.print(_table(rows))
    path = arguments.out / f"sources-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(rows, indent=1) + "\n")
    console.print(os.path.relpath(path), soft_wrap=True)


def measure(
    pictures: int, arguments: argparse.Namespace, steps: Sequence[str], console: Console
) -> list[dict[str, Any]]:
    """Measures some kinds at one size; one row per kind."""
    pairs = write_pairs(arguments.out / "pairs", pictures, arguments.side).absolute()
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.out) as folder:
        work = Path(folder)
        limits: dict[str, Any] = {}
        for kind in arguments.kinds:
            limit = LIMIT_OF.get(kind, FILES)
            if limit not in limits:
                limits[limit] = _fastest(arguments.repeats, "limit", limit, pairs, work)
            config = layouts.ALL[kind](pairs, work / kind)
            (work / f"{kind}.json").write_text(config_module.to_json(config))
            row = {"kind": kind, "pictures": pictures, "side": arguments.side, "limit": limits[limit]}
            for step in steps:
                row[step] = _fastest(arguments.repeats, step, kind, pairs, work)
            rows.append(row)
            console.print(f"{kind:>12} {pictures:>6,} {_percent(row, 'prepare')} {_percent(row, 'example_gen')}")
    return rows


def _fastest(repeats: int, step: str, what: str, pairs: Path, work: Path) -> dict[str, Any]:
    return min((_in_a_process(step, what, pairs, work) for _ in range(repeats)), key=lambda one: one["seconds"])


def _in_a_process(step: str, what: str, pairs: Path, work: Path) -> dict[str, Any]:
    result = work / f"{step}-{what}.result.json"
    command = [sys.executable, "-m", "benchmarks.sources", "--step", step, what, str(pairs), str(work), str(result)]
    cost = meter.watch(command, work / f"{step}-{what}.log", interval_s=0.05)
    return {**json.loads(result.read_text()), "peak_rss_mb": cost.peak_rss_mb}


def run_step(step: str, what: str, pairs: Path, work: Path) -> dict[str, Any]:
    """One measurement in this process: seconds and CPU seconds."""
    go = {
        "limit": _limit,
        "prepare": _prepare,
        "example_gen": _example_gen,
        "example_gen_in_threads": partial(_example_gen, parts_worth_a_pool=sys.maxsize),
    }[step](what, pairs, work)
    started = meter.Clock.now()
    go()
    return asdict(meter.Clock.now() - started)


def _prepare(kind: str, pairs: Path, work: Path) -> Callable[[], object]:
    from segpipe.ingest.prepare import prepare

    return partial(prepare, _config(kind, work), _fresh(work / f"{kind}-prepared"))


def _example_gen(kind: str, pairs: Path, work: Path, parts_worth_a_pool: int | None = None) -> Callable[[], object]:
    from tfx.dsl.components.base import base_beam_executor
    from tfx.types import standard_artifacts

    from segpipe.ingest.source_digest import source_digest
    from segpipe.pipeline.components import example_gen
    from segpipe.pipeline.targets import IN_PROCESS_BEAM

    config = _config(kind, work)
    artifact = standard_artifacts.Examples()
    artifact.uri = str(_fresh(work / f"{kind}-examples-{parts_worth_a_pool}"))
    if parts_worth_a_pool is not None:
        example_gen._PARTS_WORTH_A_POOL = parts_worth_a_pool
    context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=list(IN_PROCESS_BEAM))

    def go() -> None:
        arguments = {"config": config_module.to_json(config), "source_digest": source_digest(config)}
        example_gen.Executor(context).Do({}, {"examples": [artifact]}, arguments)

    return go


def _fresh(folder: Path) -> Path:
    """Without what a repeat before left there."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _config(kind: str, work: Path) -> config_module.Config:
    return config_module.from_json((work / f"{kind}.json").read_text())


def _limit(what: str, pairs: Path, work: Path) -> Callable[[], object]:
    cores = os.cpu_count() or 1
    out = _fresh(work / f"limit-{what}")
    packed = [] if what in (FILES, DRAWN) else layouts.packed(pairs, out / "in", floats=what == FLOATS)
    out.mkdir(exist_ok=True)

    def go() -> None:
        with multiprocessing.get_context("spawn").Pool(cores) as pool:
            if what in (FILES, DRAWN):
                names = sorted(os.listdir(pairs / "images"))  # noqa: PTH208 (The limit wants no detours.)
                shares = [(pairs, names[core::cores], out / str(core), what == DRAWN) for core in range(cores)]
                pool.starmap(_copy_files, shares)
            else:
                pool.starmap(_copy_packed, [(path, out / path.stem, what == FLOATS) for path in packed])

    return go


def _copy_files(pairs: Path, names: Sequence[str], out: Path, draw: bool) -> None:
    images, masks = f"{pairs}/images/", f"{pairs}/masks/"
    with out.open("wb") as written:
        for name in names:
            for path in (images + name, masks + name.removesuffix(".jpg") + ".png"):
                with open(path, "rb") as stream:  # noqa: PTH123 (The limit wants no detours.)
                    data = stream.read()
                picture = Image.open(io.BytesIO(data))
                picture.load()
                written.write(_png(picture) if draw and path.endswith(".png") else data)


def _copy_packed(path: Path, out: Path, floats: bool) -> None:
    with path.open("rb") as stream, out.open("wb") as written:
        while length := stream.read(8):
            data = stream.read(int.from_bytes(length, "little"))
            if floats:
                data = _png(_square(np.frombuffer(data, np.float32)))
            else:
                Image.open(io.BytesIO(data)).load()
            written.write(data)


def _square(values: np.ndarray) -> Image.Image:
    """Flat floats as the square picture that they are of."""
    channels = 1 if int(values.size**0.5) ** 2 == values.size else 3
    side = int((values.size // channels) ** 0.5)
    return Image.fromarray(values.astype(np.uint8).reshape((side, side) if channels == 1 else (side, side, channels)))


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def _percent(row: dict[str, Any], step: str) -> str:
    return f"{row['limit']['seconds'] / row[step]['seconds']:.0%}"


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(title=f"pictures per second, {rows[0]['side']} × {rows[0]['side']} pixels", title_justify="left")
    steps = [step for step in STEPS if step in rows[0]]
    headings = [heading for step in steps for heading in (_HEADINGS[step], "", "MB")]
    for heading in ("source", "pictures", "limit", *headings):
        table.add_column(heading, justify="left" if heading == "source" else "right")
    for row in rows:
        cells = [row["kind"], f"{row['pictures']:,}", _rate(row, "limit")]
        for step in steps:
            cells += [_rate(row, step), _percent(row, step), f"{row[step]['peak_rss_mb']:,.0f}"]
        table.add_row(*cells)
    return table


def _rate(row: dict[str, Any], step: str) -> str:
    return f"{row['pictures'] / row[step]['seconds']:,.0f}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        step, what, pairs, work, result = sys.argv[2:]
        Path(result).write_text(json.dumps(run_step(step, what, Path(pairs), Path(work))))
    else:
        main()
