"""Pictures and a SavedModel in, predictions of all of them out, shared out by Beam: BulkInferrer's job on pictures.

As `predict/files.py`, with each table in shards: classes-*.csv, coco.images-*.jsonl, coco.annotations-*.jsonl and
polygons-*.jsonl, one JSON object a line.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from segpipe.errors import UserError
from segpipe.io import files
from segpipe.pipeline.targets import IN_PROCESS_BEAM
from segpipe.predict import files as bulk
from segpipe.predict import rendering
from segpipe.predict.files import Account
from segpipe.predict.listing import Listed
from segpipe.savedmodel.load import LoadedModel, load

_BATCH = 8
_FAILED = "failed"


def predict(
    model_dir: str,
    pictures: Sequence[Listed],
    output: str,
    formats: Sequence[str],
    max_megapixels: float,
    beam_args: Sequence[str] = (),
) -> Account:
    """Predicts every picture.

    Args:
      model_dir: a SavedModel that every worker can read.
      pictures: of `listing.listing`.
      output: folder or URL that every worker can write.
      formats: names in `rendering.FORMATS`.
      max_megapixels: larger pictures fail.
      beam_args: Beam's; the in-process runner where there are none.

    Raises:
      UserError: a format is unknown.
    """
    rendering.check_formats(formats)
    classes, _ = bulk.classes_of(load_model(model_dir))
    options = PipelineOptions([*(beam_args or IN_PROCESS_BEAM)], save_main_session=False)
    with beam.Pipeline(options=options) as pipeline:
        lines = (
            pipeline
            | "Pictures" >> beam.Create(list(pictures), reshuffle=True)
            | "Batch" >> beam.BatchElements(min_batch_size=1, max_batch_size=_BATCH)
            | "Predict" >> beam.ParDo(_Predict(model_dir, output, tuple(formats), max_megapixels))
        )
        for table, (suffix, header) in _tables(formats, classes).items():
            (
                lines
                | f"Only {table}" >> beam.Filter(lambda line, table=table: line[0] == table)
                | f"Line of {table}" >> beam.Map(lambda line: line[1])
                | f"Write {table}" >> beam.io.WriteToText(f"{output}/{table}", suffix, header=header)
            )
    failed = [line for name in _shards(output, _FAILED) for line in files.read(name).decode().splitlines()]
    done = sum(len(files.read(name).splitlines()) - 1 for name in _shards(output, "classes"))
    return Account(done, failed)


def load_model(model_dir: str) -> LoadedModel:
    """The SavedModel; its version is of no interest here."""
    return load(Path(model_dir), 0)


def _tables(formats: Sequence[str], classes: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Suffix and first line of each table's shards."""
    tables: dict[str, tuple[str, str | None]] = {
        "classes": (".csv", rendering.csv_head(classes)),
        _FAILED: (".txt", None),
    }
    if "coco" in formats:
        tables |= {"coco.images": (".jsonl", None), "coco.annotations": (".jsonl", None)}
    if "polygons" in formats:
        tables["polygons"] = (".jsonl", None)
    return tables


def _shards(output: str, table: str) -> list[str]:
    prefix = f"{output.rstrip('/')}/{table}-"
    return [entry.path for entry in files.listing(output) if entry.path.startswith(prefix)]


class _Predict(beam.DoFn):
    """Writes the files of each picture and yields the lines of the tables."""

    def __init__(self, model_dir: str, output: str, formats: tuple[str, ...], max_megapixels: float) -> None:
        self._model_dir, self._output = model_dir, output
        self._formats, self._max_megapixels = formats, max_megapixels

    def setup(self) -> None:
        """Loads the model, once per worker."""
        self._model = load_model(self._model_dir)
        self._classes, self._colors = bulk.classes_of(self._model)

    def process(self, batch: list[Any]) -> Iterator[tuple[str, str]]:
        """One batch of `Listed`."""
        accepted = []
        for listed in batch:
            try:
                accepted.append((listed, bulk.read_picture(listed, self._max_megapixels).encoded))
            except UserError as error:
                yield _FAILED, str(error)
        for listed, encoded, outputs in self._answers(accepted):
            if isinstance(outputs, str):
                yield _FAILED, outputs
                continue
            predicted = bulk.predicted(listed, encoded, outputs)
            rendered = rendering.render(predicted, self._formats, self._classes, self._colors)
            for path, content in rendered.files.items():
                with files.open_to_write(f"{self._output}/{path}") as stream:
                    stream.write(content)
            for table, lines in rendered.lines.items():
                for line in lines:
                    yield table.removesuffix(".csv"), line

    def _answers(self, accepted: list[tuple[Any, bytes]]) -> Iterator[tuple[Any, bytes, Any]]:
        """Each picture with its outputs, or with why there are none: a damaged one does not spoil its batch."""
        if not accepted:
            return
        try:
            answers = self._model.signature().run([encoded for _, encoded in accepted])
        except UserError as error:
            if len(accepted) == 1:
                [(listed, encoded)] = accepted
                yield listed, encoded, f"{listed.path}: {error}"
                return
            for one in accepted:
                yield from self._answers([one])
            return
        for (listed, encoded), outputs in zip(accepted, answers, strict=True):
            yield listed, encoded, outputs
