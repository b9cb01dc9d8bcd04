"""The Evaluator by itself: both designs judge the same pictures with a model of their own; a table, and JSON.

python -m benchmarks.evaluation [--pictures 500 2000] [--keep]

Each design first runs whole on a few pictures, to have its model; then each judges all pictures, in a process of its
own. segpipe judges with Beam in this process (what a run does), with two threads, with two processes, and without Beam
(`segpipe evaluate`, its page included). `network` is the forward pass by itself, the least that any of them takes.
`report` is that page alone, all pictures having been counted: intervals, slices, choice of the pictures that it shows,
charts; its target is 5 s.
"""

import argparse
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import design_run, meter
from benchmarks.pictures import write_pairs
from segpipe import tensorflow_settings

OUT = Path(__file__).parent / "out"
SIDE = 128
MODEL_PICTURES = 128
NETWORK, REPORT = "network", "report"
BATCH = 32
RUNNER = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"
BEAM = {
    "in_process": [RUNNER],
    "threads": [RUNNER, "--direct_running_mode=multi_threading", "--direct_num_workers=2"],
    "processes": [RUNNER, "--direct_running_mode=multi_processing", "--direct_num_workers=2"],
}

Measured = dict[str, Any]


def main() -> None:
    """Measures what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluation", description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, nargs="+", default=[500, 2000], help="how many to judge")
    parser.add_argument("--keep", action="store_true", help="judge with the models of the call before")
    arguments = parser.parse_args()
    console = Console()
    work = OUT / "evaluation"
    if not arguments.keep:
        shutil.rmtree(work, ignore_errors=True)
    few = write_pairs(OUT, MODEL_PICTURES, SIDE)
    steps = (("prepare", "published"), ("run", "published"), ("weights", "segpipe"), ("run", "segpipe"))
    for step, design in steps:
        done = {"prepare": "prepared", "weights": "encoder.weights.h5", "run": "run/serving"}[step]
        if not (work / design / done).exists():
            _in_own_process("benchmarks.design_run", [step, design, str(few), str(work / design)], work)

    rows = []
    for pictures in arguments.pictures:
        pairs = write_pairs(OUT, pictures, SIDE)
        shutil.rmtree(work / f"{pictures}", ignore_errors=True)
        for design in ("published", "segpipe"):
            folder = work / f"{pictures}" / design
            _in_own_process("benchmarks.design_run", ["prepare", design, str(pairs), str(folder)], work)
        for name in JUDGES:
            if name in ("threads", "processes", NETWORK) and pictures != max(arguments.pictures):
                continue
            rows.append(_in_own_process("benchmarks.evaluation", ["--judge", name, str(work), str(pictures)], work))
            console.print(rows[-1])
    console.print(_table(rows))
    path = OUT / f"evaluation-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(rows, indent=1) + "\n")
    console.print(path)


def judge(name: str, work: str, pictures: str, result: str) -> None:
    """Judges once and writes what it took: wall seconds, processor seconds and peak memory of this process."""
    root = Path(work)
    if name != "published":
        tensorflow_settings.apply()  # As segpipe's command does.
    act = JUDGES[name](root, root / pictures)
    before, started = time.process_time(), time.monotonic()
    act()
    seconds = time.monotonic() - started
    measured = {
        "name": name,
        "pictures": int(pictures),
        "seconds": round(seconds, 2),
        "pictures_per_s": round(int(pictures) / seconds, 1),
        "processor_seconds": round(time.process_time() - before, 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    Path(result).write_text(json.dumps(measured))


def _published(work: Path, data: Path) -> Callable[[], None]:
    """TFX's stock Evaluator on flat float features."""
    published = design_run._published()
    from tfx.components.evaluator.executor import Executor
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types import artifact_utils, standard_artifacts
    from tfx.utils import proto_utils

    split = data / "published" / "Split-eval"
    split.mkdir(exist_ok=True)
    for file in (data / "published" / "prepared").iterdir():
        (split / file.name).symlink_to(file)
    examples = _artifact(standard_artifacts.Examples, split.parent)
    examples.split_names = artifact_utils.encode_split_names(["eval"])
    [model] = (work / "published" / "run" / "pipeline" / "Trainer" / "model").iterdir()
    outputs = {
        "evaluation": [_artifact(standard_artifacts.ModelEvaluation, split.parent / "evaluation")],
        "blessing": [_artifact(standard_artifacts.ModelBlessing, split.parent / "blessing")],
    }
    properties = {"eval_config": proto_utils.proto_to_json(published._eval_config()), "example_splits": "null"}
    executor = Executor(BaseBeamExecutor.Context(beam_pipeline_args=BEAM["in_process"], tmp_dir=str(data)))
    inputs = {"examples": [examples], "model": [_artifact(standard_artifacts.Model, model)]}
    return lambda: executor.Do(inputs, outputs, properties)


def _with_beam(mode: str) -> Callable[[Path, Path], Callable[[], None]]:
    def prepare(work: Path, data: Path) -> Callable[[], None]:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
        from tensorflow_model_analysis import constants

        from segpipe.config import load
        from segpipe.pipeline.components import evaluator

        config, shards = load(design_run.CONFIG), _shards(data)
        models = {constants.CANDIDATE_KEY: str(_model(work))}

        def act() -> None:
            with beam.Pipeline(options=PipelineOptions(BEAM[mode])) as pipeline:
                evaluator.evaluate(pipeline, shards, models, config, str(data / mode))

        return act

    return prepare


def _without_beam(work: Path, data: Path) -> Callable[[], None]:
    """`segpipe evaluate`, the page included."""
    from segpipe.config.evaluate import Evaluate
    from segpipe.evaluate import evaluation_report

    model, shards = str(_model(work)), _shards(data)

    def act() -> None:
        evaluation_report.evaluate_into(data / "standalone", model, str(data), "test", shards, Evaluate(), 0.95)

    return act


def _report(work: Path, data: Path) -> Callable[[], Any]:
    """The page of `segpipe evaluate` alone."""
    from segpipe.config.evaluate import Evaluate
    from segpipe.evaluate import count_locally, evaluation_report
    from segpipe.savedmodel.load import load_to_count

    path, shards, settings = str(_model(work)), _shards(data), Evaluate()
    model = load_to_count(path)
    counted = count_locally.evaluate(model, shards, settings)
    out = data / "report"
    return lambda: evaluation_report.write(out, path, str(data), "test", shards, settings, 0.95, model, counted)


def _network(work: Path, data: Path) -> Callable[[], None]:
    """The forward pass alone, on pixels in memory: no judge of this network is faster."""
    import tensorflow as tf

    from segpipe import model
    from segpipe.config import load

    config = load(design_run.CONFIG, ["model.weights=none"])
    network = model.build(config.model, config.num_classes, SIDE).model
    forward = tf.function(lambda batch: network(batch, training=False))
    pixels = tf.zeros([BATCH, SIDE, SIDE, 3])
    forward(pixels)

    def act() -> None:
        for _ in range(int(data.name) // BATCH):
            forward(pixels)

    return act


JUDGES: dict[str, Callable[[Path, Path], Callable[[], Any]]] = {
    "published": _published,
    "in_process": _with_beam("in_process"),
    "threads": _with_beam("threads"),
    "processes": _with_beam("processes"),
    "without_beam": _without_beam,
    NETWORK: _network,
    REPORT: _report,
}


def _shards(data: Path) -> list[str]:
    return sorted(str(path) for path in (data / "segpipe" / "prepared").glob("*.tfrecord"))


def _model(work: Path) -> Path:
    [folder] = (work / "segpipe" / "run" / "pipeline" / "Trainer" / "model").iterdir()
    return folder / "Format-Serving"


def _artifact(kind: type, uri: Path) -> Any:
    artifact = kind()
    artifact.uri, artifact.id = str(uri), 1
    return artifact


def _in_own_process(module: str, arguments: list[str], work: Path) -> Measured:
    result = work / "result.json"
    name = "-".join(argument for argument in arguments if "/" not in argument).strip("-")
    meter.watch([sys.executable, "-m", module, *arguments, str(result)], work / "logs" / f"{name}.log")
    return json.loads(result.read_text())


def _table(rows: list[Measured]) -> Table:
    table = Table("judge", "pictures", "seconds", "pictures/s", "CPU s", "peak MB", "× published")
    published = {row["pictures"]: row["pictures_per_s"] for row in rows if row["name"] == "published"}
    for row in rows:
        judges = row["name"] != REPORT
        ratio = f"{row['pictures_per_s'] / published[row['pictures']]:.1f}" if judges else "–"
        columns = ("pictures", "seconds", "pictures_per_s", "processor_seconds", "peak_rss_mb")
        table.add_row(row["name"], *(str(row[column]) for column in columns), ratio)
    return table


if __name__ == "__main__":
    if sys.argv[1:2] == ["--judge"]:
        judge(*sys.argv[2:])
    else:
        main()
