"""Predicts the pictures of a listing by Beam: another runner of `predict/files.py`.

It writes the same files, with each table in shards: classes-*.csv, coco.images-*.jsonl, coco.annotations-*.jsonl and
polygons-*.jsonl, one JSON object a line.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from segpipe.errors import UserError
from segpipe.io import files
from segpipe.pipeline.targets import IN_PROCESS_BEAM
from segpipe.predict import files as bulk
from segpipe.predict import rendering
from segpipe.predict.files import Account
from segpipe.predict.listing import Listed
from segpipe.savedmodel.load import load

_BATCH = 8
_FAILED = "failed"
_ON_THIS_MACHINE = {"FnApiRunner", "DirectRunner", "BundleBasedDirectRunner", "SwitchingDirectRunner", "PrismRunner"}


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
      model_dir: path or URL of a SavedModel that every worker can read.
      pictures: of `listing.listing`.
      output: folder or URL that every worker can write.
      formats: names in `rendering.FORMATS`.
      max_megapixels: larger pictures fail.
      beam_args: Beam's; the in-process runner if they name none.

    Raises:
      UserError: a format is unknown, or workers on other machines cannot reach a path.
    """
    rendering.check_formats(formats)
    options = PipelineOptions(_options(beam_args), save_main_session=False)
    _check_reach(options, model_dir, pictures, output)
    classes = load(model_dir).classes
    tables = _tables(formats, classes)
    for table in tables:  # Of an earlier call, whose shards may have been more.
        for shard in _shards(output, table):
            files.remove(shard)
    with beam.Pipeline(options=options) as pipeline:
        lines = (
            pipeline
            | "Pictures" >> beam.Create(list(pictures), reshuffle=True)
            | "Batch" >> beam.BatchElements(min_batch_size=1, max_batch_size=_BATCH)
            | "Predict" >> beam.ParDo(_Predict(model_dir, output, tuple(formats), max_megapixels))
        )
        for table, (suffix, header) in tables.items():
            (
                lines
                | f"Only {table}" >> beam.Filter(lambda line, table=table: line[0] == table)
                | f"Line of {table}" >> beam.Map(lambda line: line[1])
                | f"Write {table}" >> beam.io.WriteToText(f"{output}/{table}", suffix, header=header)
            )
    failed: list[str] = []
    for shard in _shards(output, _FAILED):
        failed += files.read(shard).decode().splitlines()
        files.remove(shard)
    bulk.write_failed(sorted(failed), output)
    done = sum(len(files.read(name).splitlines()) - 1 for name in _shards(output, "classes"))
    return Account(done, sorted(failed))


def _options(beam_args: Sequence[str]) -> list[str]:
    """Beam's arguments with the in-process runner if they name none."""
    names_runner = any(argument.partition("=")[0] == "--runner" for argument in beam_args)
    return [*beam_args] if names_runner else [*IN_PROCESS_BEAM, *beam_args]


def _check_reach(options: PipelineOptions, model_dir: str, pictures: Sequence[Listed], output: str) -> None:
    """Checks that workers on other machines can read and write what they are given.

    Raises:
      UserError: a path is one of this machine.
    """
    runner = str(options.view_as(StandardOptions).runner).rpartition(".")[2]
    if runner in _ON_THIS_MACHINE:
        return
    for name, path in (("the model", model_dir), *(("a picture", one.path) for one in pictures), ("--out", output)):
        if not files.is_url(path):
            raise UserError(
                f"the workers of {runner} cannot reach {path}, {name} on this machine; give a gs:// address, or leave "
                "--runner out."
            )


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
    names = (path.rstrip("/").rpartition("/")[2] for path in files.names_in(output))
    return sorted(files.join(output, name) for name in names if name.startswith(f"{table}-"))


class _Predict(beam.DoFn):
    """Writes the files of each picture and yields the lines of the tables."""

    def __init__(self, model_dir: str, output: str, formats: tuple[str, ...], max_megapixels: float) -> None:
        self._model_dir, self._output = model_dir, output
        self._formats, self._max_megapixels = formats, max_megapixels

    def setup(self) -> None:
        """Loads the model, once per worker."""
        self._model = load(self._model_dir)
        self._classes, self._colors = self._model.classes, self._model.colors

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
                yield listed, encoded, f"{files.shown(listed.path)}: {error}"
                return
            for one in accepted:
                yield from self._answers([one])
            return
        for (listed, encoded), outputs in zip(accepted, answers, strict=True):
            yield listed, encoded, outputs
