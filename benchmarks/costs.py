"""Fixed costs that a run is spared, each beside what stands in its place: a table of processor seconds, and JSON.

python -m benchmarks.costs

Every measurement has a process of its own. docs/performance.md says what each is about.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import design_run, meter
from benchmarks.pictures import write_pairs

OUT = Path(__file__).parent / "out"
PICTURES, SIDE = 200, 128
_IMPORT = "import os, segpipe.pipeline.local.run; print(sum(os.times()[:2]))"


def import_from_source(folder: Path) -> float:
    """Imports what a run needs, as after an installation that compiled nothing."""
    return _import_s(folder / "none", PYTHONDONTWRITEBYTECODE="1")


def import_compiled(folder: Path) -> float:
    """Imports the same from byte-code, which a first import leaves."""
    _import_s(folder / "cache")
    return _import_s(folder / "cache")


def import_collecting_often(folder: Path) -> float:
    """Imports the same while Python looks for garbage as often as it does by itself."""
    _import_s(folder / "cache")
    return _import_s(folder / "cache", code=f"import gc; gc.set_threshold = lambda *_: None; {_IMPORT}")


def _import_s(cache: Path, code: str = _IMPORT, **variables: str) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment.update(variables, PYTHONPYCACHEPREFIX=str(cache))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return float(done.stdout)


def pack_tfx(folder: Path) -> float:
    """What TFX does for a Beam component whose arguments name no container: it packs itself for workers elsewhere."""
    from segpipe.pipeline.targets import IN_PROCESS_BEAM

    return _beam_arguments_s([argument for argument in IN_PROCESS_BEAM if "container_image" not in argument])


def pack_nothing(folder: Path) -> float:
    """The same with the arguments of `pipeline/targets.py`."""
    from segpipe.pipeline.targets import IN_PROCESS_BEAM

    return _beam_arguments_s(list(IN_PROCESS_BEAM))


def _beam_arguments_s(arguments: list[str]) -> float:
    from tfx.utils import dependency_utils

    started = meter.Clock.now()
    dependency_utils.make_beam_dependency_flags(arguments)
    return (meter.Clock.now() - started).cpu_seconds


def statistics_of_tfx(folder: Path) -> float:
    """TFX's StatisticsGen, one graph for each split, on the features that ours looks at."""
    import segpipe.pipeline  # noqa: F401 (serves a module that TFDV imports)
    from segpipe import schema

    import tensorflow_data_validation as tfdv  # isort: skip
    from tfx.components.statistics_gen.executor import Executor

    options = tfdv.StatsOptions(feature_allowlist=list(schema.SCALARS))
    return _statistics_s(Executor, folder, stats_options_json=options.to_json())


def statistics_in_one_pass(folder: Path) -> float:
    """Segpipe's, one graph for all splits."""
    from segpipe.pipeline.components.statistics_gen import Executor

    return _statistics_s(Executor, folder)


def _statistics_s(executor: Any, folder: Path, **properties: Any) -> float:
    from segpipe import config as config_module
    from segpipe.ingest.source_digest import source_digest
    from segpipe.pipeline.components import example_gen
    from segpipe.pipeline.targets import IN_PROCESS_BEAM

    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor  # isort: skip
    from tfx.types import standard_artifacts

    config = design_run._config(write_pairs(OUT / "pairs", PICTURES, SIDE), folder)
    examples, statistics = standard_artifacts.Examples(), standard_artifacts.ExampleStatistics()
    examples.uri, examples.id, statistics.uri, statistics.id = str(folder / "examples"), 1, str(folder / "counted"), 2
    context = BaseBeamExecutor.Context(beam_pipeline_args=list(IN_PROCESS_BEAM))
    arguments = {"config": config_module.to_json(config), "source_digest": source_digest(config)}
    example_gen.Executor(context).Do({}, {"examples": [examples]}, arguments)
    started = meter.Clock.now()
    executor(context).Do({"examples": [examples]}, {"statistics": [statistics]}, properties)
    return (meter.Clock.now() - started).cpu_seconds


def first_step_by_keras(folder: Path) -> float:
    """The first step of a training, which traces and compiles it, with Keras' AdamW."""
    import keras

    from segpipe.train import optimizer

    def build(recipe: Any, variables: Any, pretrained: Any, steps: int) -> Any:
        adam = keras.optimizers.AdamW(optimizer.learning_rate(recipe, steps), recipe.weight_decay)
        adam.exclude_from_weight_decay(var_list=[variable for variable in variables if len(variable.shape) < 2])
        adam.build(variables)
        return adam

    return _first_step_s(build)


def first_step(folder: Path) -> float:
    """The same with segpipe's."""
    from segpipe.train import optimizer

    return _first_step_s(optimizer.build)


def _first_step_s(build: Callable[..., Any]) -> float:
    """Of the published network, all of it trained, on one picture of 32 pixels: next to nothing is computed."""
    import numpy as np

    from segpipe import config as config_module
    from segpipe import model as models
    from segpipe.train import steps

    config = config_module.load(design_run.CONFIG, ["model.weights=none", "data.image_size=32"])
    model = models.build(config.model, config.num_classes, config.data.image_size).model
    adam = build(config.train, model.trainable_variables, (), 10)
    step = steps.train_step(model, model.trainable_variables, adam, config.train, None, config.seed)
    started = meter.Clock.now()
    float(step(np.zeros((1, 32, 32, 3), np.uint8), np.zeros((1, 32, 32), np.uint8)))
    return (meter.Clock.now() - started).cpu_seconds


Measurement = Callable[[Path], float]
PAIRS: dict[str, tuple[Measurement, Measurement]] = {
    "import without and with byte-code": (import_from_source, import_compiled),
    "the same, looking for garbage often and seldom": (import_collecting_often, import_compiled),
    "start of a Beam component": (pack_tfx, pack_nothing),
    f"statistics of {PICTURES} pictures, 3 splits": (statistics_of_tfx, statistics_in_one_pass),
    "first step of a training": (first_step_by_keras, first_step),
}


def main() -> None:
    """Measures every pair."""
    console = Console()
    table = Table("", "stock CPU s", "segpipe CPU s", "times less")
    measured = {}
    for name, pair in PAIRS.items():
        stock, ours = measured[name] = [_in_own_process(measurement.__name__) for measurement in pair]
        table.add_row(name, f"{stock:.2f}", f"{ours:.2f}", f"{stock / max(ours, 0.01):.1f}")
    console.print(table)
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"costs-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(measured, indent=1) + "\n")
    console.print(os.path.relpath(path), soft_wrap=True)


def _in_own_process(name: str) -> float:
    with tempfile.TemporaryDirectory(prefix="segpipe-costs-") as folder:
        result = Path(folder) / "result.json"
        meter.watch([sys.executable, "-m", "benchmarks.costs", name, folder, str(result)], OUT / "logs" / f"{name}.log")
        return float(json.loads(result.read_text()))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        name, folder, result = sys.argv[1:]
        chosen = {one.__name__: one for pair in PAIRS.values() for one in pair}[name]
        Path(result).write_text(json.dumps(chosen(Path(folder))))
    else:
        main()
