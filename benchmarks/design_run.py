"""One step of one design, in a process of its own: pairs of files in, what the step took as JSON out.

python -m benchmarks.design_run {weights|prepare|run|rates} {segpipe|published} PAIRS WORK_DIR RESULT.json [N]

`rates` times N training steps.
"""

import gc
import gzip
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import meter
from segpipe import config as config_module
from segpipe import tensorflow_settings
from segpipe.io import tfrecord

CONFIG = Path(__file__).with_name("bench.toml")
PUBLISHED_SCHEMA = Path(__file__).with_name("published_design.pbtxt")
TRAINING_STEPS = 10

Measured = dict[str, Any]


def main(step: str, design: str, pairs: str, work_dir: str, result: str, timed: str = str(TRAINING_STEPS)) -> None:
    """Runs one step and writes what it took."""
    if design == "segpipe":
        tensorflow_settings.apply()  # As its command does.
    more = (int(timed),) if step == "rates" else ()
    measured = STEPS[step, design](Path(pairs).absolute(), Path(work_dir).absolute(), *more)
    Path(result).write_text(json.dumps(measured, indent=1))


def write_weights(pairs: Path, work_dir: Path) -> Measured:
    """Random weights of an encoder: to segpipe they are learned, and so frozen, as the published design's are."""
    import keras

    work_dir.mkdir(parents=True, exist_ok=True)
    config = _config(pairs, work_dir)
    shape = (config.data.image_size, config.data.image_size, 3)
    keras.applications.MobileNetV2(shape, include_top=False, weights=None).save_weights(config.model.weights)
    return {}


def prepare_segpipe(pairs: Path, work_dir: Path) -> Measured:
    """`segpipe prepare`: files to Examples of encoded pictures."""
    from segpipe.ingest.prepare import prepare

    started = time.monotonic()
    prepare(_config(pairs, work_dir), work_dir / "prepared")
    return {"seconds": time.monotonic() - started, "bytes": _bytes(work_dir / "prepared")}


def prepare_published(pairs: Path, work_dir: Path) -> Measured:
    """The published script: files to Examples of float pixels."""
    published = _published()
    started = time.monotonic()
    published.prepare(pairs, work_dir / "prepared")
    return {"seconds": time.monotonic() - started, "bytes": _bytes(work_dir / "prepared")}


def run_segpipe(pairs: Path, work_dir: Path) -> Measured:
    """`segpipe run`: from the pairs to a pushed model and the report."""
    from segpipe.pipeline.local import run

    config, notes = _config(pairs, work_dir), _Notes()
    # By its module's name: the package has a function of the same name.
    training = import_module("segpipe.train.fit")._Training
    with meter.timed_method(training, "_epoch") as epochs:
        started = meter.Clock.now()
        run.run(config, notes.node_started, notes.node_finished)
        whole = meter.Clock.now() - started
    return _ran(whole, epochs, notes, config.output_path, judged_split="test")


def run_published(pairs: Path, work_dir: Path) -> Measured:
    """The published pipeline: from the prepared records to a pushed model."""
    published = _published()
    import tf_keras

    from segpipe.pipeline.local import runner

    pictures = len(list((pairs / "images").iterdir()))
    held_out = int(pictures * published.EVAL_SHARE)
    run_dir, notes = work_dir / "run", _Notes()
    run_dir.mkdir(parents=True)
    with meter.timed_method(tf_keras.Model, "fit") as fits:
        started = meter.Clock.now()
        pipeline = published.pipeline(
            records=work_dir / "prepared",
            run_dir=run_dir,
            schema_file=PUBLISHED_SCHEMA,
            train_steps=max(1, (pictures - held_out) // published.BATCH_SIZE),
            eval_steps=max(1, held_out // published.BATCH_SIZE),
        )
        runner.ObservedLocalDagRunner(notes).run(pipeline)
        whole = meter.Clock.now() - started
    return _ran(whole, fits, notes, run_dir, judged_split="eval")


class _Notes:
    """What each node cost; told by either runner."""

    def __init__(self) -> None:
        self.nodes: dict[str, meter.Clock] = {}
        self._started = meter.Clock()

    def node_started(self, node: str) -> None:
        """Called before a node runs."""
        self._started = meter.Clock.now()

    def node_finished(self, outcome: Any, note: str = "") -> None:
        """Called after it."""
        self.nodes[outcome.node] = meter.Clock.now() - self._started


def rates_segpipe(pairs: Path, work_dir: Path, timed: int) -> Measured:
    """Segpipe's training input and step, each by itself, on what `run` left."""
    import numpy as np
    import tensorflow_transform as tft

    from segpipe import model as models
    from segpipe.train import data, optimizer, precision, steps

    config = _config(pairs, work_dir)
    root = config.output_path / "pipeline"
    transform = tft.TFTransformOutput(str(_output(root, "Transform/transform_graph"))).transform_features_layer()
    files = [str(path) for path in sorted((_output(root, "*ExampleGen/examples") / "Split-train").iterdir())]
    started = time.monotonic()
    train = data.load(files, transform, config.data.image_size, config.train.cache_gb, "train")
    input_s = time.monotonic() - started

    with precision.building_in(precision.resolve(config.train.precision)):
        network = models.build(config.model, config.num_classes, config.data.image_size, config.directory)
    frozen = {variable.path for variable in network.pretrained}
    variables = [variable for variable in network.model.trainable_variables if variable.path not in frozen]
    adam = optimizer.build(config.train, variables, (), steps=1)
    step = steps.train_step(network.model, variables, adam, config.train, None, config.seed)
    order = np.arange(config.train.batch_size) % len(train)
    batch = train.images[order], train.masks[order]
    return {
        "input_pictures_per_s": len(train) / input_s,
        "step_pictures_per_s": _step_rate(lambda: float(step(*batch)), config.train.batch_size, timed),
    }


def rates_published(pairs: Path, work_dir: Path, timed: int) -> Measured:
    """The published training input and step, each by itself, on what `run` left."""
    published = _published()
    import tensorflow_transform as tft
    from tfx_bsl.tfxio import tf_example_record

    root = work_dir / "run" / "pipeline"
    transform_output = tft.TFTransformOutput(str(_output(root, "Transform/transform_graph")))
    train = _output(root, "Transform/transformed_examples") / "Split-train"

    def factory(files: list[str], options: Any, schema: Any) -> Any:
        return tf_example_record.TFExampleRecord(files, schema=schema).TensorFlowDataset(options)

    pictures = _count(train)
    batches = max(1, pictures // published.BATCH_SIZE)
    dataset = published.dataset([str(train / "*")], transform_output, factory)
    started = time.monotonic()
    for images, masks in dataset.take(batches):
        batch = images, masks
    input_s = time.monotonic() - started
    model = published.unet()
    return {
        "input_pictures_per_s": batches * published.BATCH_SIZE / input_s,
        "step_pictures_per_s": _step_rate(lambda: model.train_on_batch(*batch), published.BATCH_SIZE, timed),
    }


def _step_rate(step: Callable[[], Any], batch_size: int, timed: int) -> float:
    """Pictures per second of one batch in memory, `timed` times over; two steps before that are for tracing."""
    step()
    step()
    started = time.monotonic()
    for _ in range(timed):
        step()
    return timed * batch_size / (time.monotonic() - started)


def _published() -> Any:
    stock = gc.get_threshold()
    import segpipe.pipeline  # noqa: F401 (serves a module that TFDV imports and tfx-bsl has dropped)

    gc.set_threshold(*stock)  # segpipe looks for garbage less often; the published design had Python's own setting.
    from benchmarks import published_design

    return published_design


def _config(pairs: Path, work_dir: Path) -> config_module.Config:
    changes = {
        "source.path": pairs,
        "output_dir": work_dir / "run",
        "model.weights": work_dir / "encoder.weights.h5",
    }
    return config_module.load(CONFIG, [f"{key}={value}" for key, value in changes.items()])


def _ran(whole: meter.Clock, fits: list[meter.Clock], notes: _Notes, run_dir: Path, judged_split: str) -> Measured:
    root = run_dir / "pipeline"
    examples = _output(root, "*ExampleGen/examples")
    return {
        **asdict(whole),
        "fit": asdict(sum(fits, meter.Clock())),
        "nodes": {node: asdict(cost) for node, cost in notes.nodes.items()},
        "examples_bytes": _bytes(examples),
        "transformed_bytes": _bytes(root / "Transform" / "transformed_examples"),
        "judged_pictures": _count(examples / f"Split-{judged_split}"),
        "pushed": any((run_dir / "serving").glob("[0-9]*")),
    }


def _output(root: Path, pattern: str) -> Path:
    """The folder of an output that a fresh run wrote once: <node>/<output>/<execution>."""
    [folder] = root.glob(f"{pattern}/*")
    return folder


def _bytes(folder: Path) -> int:
    """Of all files under a folder; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _count(split: Path) -> int:
    """Examples in the gzip TFRecord files of one split."""
    number = 0
    for path in split.iterdir():
        with gzip.open(path) as stream:
            number += sum(1 for _ in tfrecord.read(stream, path.name))
    return number


STEPS: dict[tuple[str, str], Callable[..., Measured]] = {
    ("weights", "segpipe"): write_weights,
    ("prepare", "segpipe"): prepare_segpipe,
    ("prepare", "published"): prepare_published,
    ("run", "segpipe"): run_segpipe,
    ("run", "published"): run_published,
    ("rates", "segpipe"): rates_segpipe,
    ("rates", "published"): rates_published,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
