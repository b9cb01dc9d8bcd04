"""Measures what a deployed model should see and say, from the Examples that it was made from; kept beside the run.

Image statistics come from every split. What the model predicts and what its encoder sees come from eval and test alone:
on pictures that it was fitted to, it is surer than it will ever be again.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segpipe import schema
from segpipe.errors import UserError
from segpipe.ingest import example
from segpipe.io import atomic, tfrecord
from segpipe.metrics import confusion
from segpipe.progress import report
from segpipe.savedmodel.load import LoadedModel
from segpipe.serve.request_log import rounded
from segpipe.watch import features
from segpipe.watch.drift import Floats, Table
from segpipe.watch.features import Embedding

_BATCH = 16
_HELD_OUT = (schema.EVAL, schema.TEST)
_MAX_EMBEDDED = 512
"""Training pictures that say in which directions pictures differ."""


@dataclass(frozen=True)
class Reference:
    """What the deployed model should see and say.

    Attributes:
      inputs: image statistics of every training-time picture.
      predictions: columns of `features.of_predictions`, and of `embedding` where the model has one, on the pictures
        that the model was not fitted to.
      test_margins: int64 [N, 3, K]: right, true and predicted pixels of each class in each test picture.
      embedding: fitted to training pictures; None for a model without a signature `embeddings`.
    """

    inputs: Table
    predictions: Table
    test_margins: NDArray[np.int64]
    embedding: Embedding | None = None

    @property
    def tables(self) -> list[Table]:
        """What `drift.compare` takes."""
        return [self.inputs, self.predictions]


def of(model: LoadedModel, classes: list[str], examples: Path, cache: Path) -> Reference:
    """Runs the model over the held-out Examples, or reads what an earlier call found.

    Args:
      model: the deployed version.
      classes: names, in the order of the class ids.
      examples: folder with `Split-train`, `Split-eval` and `Split-test`, as ExampleGen leaves it.
      cache: where the result is kept.

    Raises:
      UserError: the Examples are gone.
    """
    path = cache / f"reference-{model.version}-{examples.name}.npz"
    if path.is_file():
        return _read(path)
    inputs: dict[str, list[float]] = {name: [] for name in schema.IMAGE_STATISTICS}
    fraction: list[Floats] = []
    confidence: list[float] = []
    margins: list[NDArray[np.int64]] = []
    embedded: dict[str, list[Floats]] = {split: [] for split in schema.SPLITS}
    for split in schema.SPLITS:
        for batch in _batches(_examples(examples, split)):
            parsed = [example.decode(one) for one in batch]
            images = [one[schema.IMAGE][0] for one in parsed]
            if split in _HELD_OUT or len(embedded[split]) < _MAX_EMBEDDED:
                embedded[split] += [np.array(rounded(one)) for one in model.embed(images)]
            for name, values in inputs.items():
                values += [float(one[name][0]) for one in parsed]
            if split in _HELD_OUT:
                predictions = model.signature().run(images)
                fraction += [np.asarray(one["class_fraction"], np.float64) for one in predictions]
                confidence += [float(one["confidence"]) for one in predictions]
                report("held-out pictures", len(confidence))
            if split == schema.TEST:
                margins += list(margins_of(model, batch))
    if not confidence:
        raise UserError(f"{examples} holds no Examples of {' or '.join(_HELD_OUT)}; run the pipeline again.")
    columns = features.of_predictions(np.stack(fraction), np.array(confidence), classes)
    embedding = None
    if len(embedded[schema.TRAIN][0]):
        embedding = Embedding.of(np.array(embedded[schema.TRAIN], np.float64))
        columns |= embedding.columns(np.array([one for split in _HELD_OUT for one in embedded[split]], np.float64))
    statistics = {name: np.array(values, np.float64) for name, values in inputs.items()}
    reference = Reference(statistics, columns, np.stack(margins), embedding)
    cache.mkdir(parents=True, exist_ok=True)
    _write(reference, path)
    return reference


def margins_of(model: LoadedModel, examples: list[bytes]) -> NDArray[np.int64]:
    """Right, true and predicted pixels, int64 [N, 3, K], of serialized Examples."""
    return confusion.margins(confusion.square(model.count(examples)["confusion"]))


def newest_examples(pipeline: Path) -> Path:
    """The folder that the last ExampleGen left under a local run's `pipeline` folder.

    Raises:
      UserError: there is none.
    """
    found = sorted(pipeline.glob("*/examples/*/Split-train"), key=lambda folder: int(folder.parent.name))
    if not found:
        raise UserError(f"{pipeline} holds no Examples; `segpipe run CONFIG` makes them.")
    return found[-1].parent


def read_examples(folder: Path, split: str) -> list[bytes]:
    """Every serialized Example of a split."""
    return list(_examples(folder, split))


def _examples(folder: Path, split: str) -> Iterator[bytes]:
    for file in sorted((folder / f"Split-{split}").glob("*.gz")):
        with gzip.open(file) as stream:
            yield from tfrecord.read(stream, str(file))  # type: ignore[arg-type]


def _batches(items: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for item in items:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _write(reference: Reference, path: Path) -> None:
    arrays = {f"inputs:{name}": values for name, values in reference.inputs.items()}
    arrays |= {f"predictions:{name}": values for name, values in reference.predictions.items()}
    if reference.embedding is not None:
        arrays |= {"embedding:mean": reference.embedding.mean, "embedding:axes": reference.embedding.axes}
    with atomic.write(path) as file:
        np.savez_compressed(file, test_margins=reference.test_margins, **arrays)  # type: ignore[arg-type]


def _read(path: Path) -> Reference:
    with np.load(path) as stored:

        def table(prefix: str) -> dict[str, Floats]:
            return {name.removeprefix(prefix): stored[name] for name in stored.files if name.startswith(prefix)}

        embedding = Embedding(**found) if (found := table("embedding:")) else None
        return Reference(table("inputs:"), table("predictions:"), stored["test_margins"], embedding)
