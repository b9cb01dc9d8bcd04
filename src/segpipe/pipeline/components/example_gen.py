"""ExampleGen: reads the config's source with Beam and writes TFX Examples in the splits train, eval and test.

The workers run `segpipe.ingest.shards.write_part`, as `segpipe prepare` does, so both give the same Examples. Each
part's worker writes its files itself: no picture goes through a Beam shuffle, which the in-process runner holds in
memory. That runner has one worker, whose threads share Python's lock: it hands large sources to a pool of processes.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue
from tfx.components.example_gen import utils
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts

from segpipe import schema
from segpipe.config import Config
from segpipe.config.data import Data
from segpipe.ingest import listing, sources
from segpipe.ingest.example_account import ACCOUNT, BAD_EXAMPLES
from segpipe.ingest.part_file import Stored, store
from segpipe.ingest.pool import Pool
from segpipe.ingest.shards import Account, Layout, write_part
from segpipe.ingest.source_digest import check_unchanged
from segpipe.ingest.splits import check_counts
from segpipe.io import files
from segpipe.pipeline.components import node

PARTS = "parts.pickle"
"""In the folder of the examples while they are written: where the pictures of each part are."""

_PARTS_WORTH_A_POOL = 16
"""`python -m benchmarks.sources` has the figures."""

_pool: Pool | None = None
"""While ExampleGen runs, where Beam runs in this process. Beam pickles its functions, and no process can be pickled."""


def picture_example_gen(config: Config) -> "PictureExampleGen":
    """The ExampleGen of a run.

    TFX reuses an earlier run's Examples if the arguments are the same, so they hold a digest of the source, taken once
    before the run, and one of the code.

    Raises:
      DataError: the source is missing.
    """
    # What the model sees later changes no Example: another image_size must not read every picture again.
    data = config.data.model_copy(update={"image_size": Data.model_fields["image_size"].default})
    kept = Config(name=config.name, directory=config.directory, source=config.source, split=config.split, data=data)
    return PictureExampleGen(Parameters(config=kept, source_digest=listing.digest_of(config)))


class Parameters(node.Parameters):
    """What ExampleGen depends on.

    Attributes:
      config: the run's name, folder, source, split and data.
      source_digest: of the files of the source when the graph was built.
    """

    config: Config
    source_digest: str


class Executor(
    node.BeamExecutor[Parameters],
    interface=node.Interface(
        Parameters,
        outputs={"examples": standard_artifacts.Examples},
        code="segpipe.pipeline.components.example_gen",
    ),
):
    """Lists the source, has Beam's workers write the parts, and judges their account."""

    def run(self, artifacts: node.Artifacts, parameters: Parameters) -> None:
        """Writes the Examples.

        Raises:
          DataError: the source is inconsistent, a split is empty, or pictures are bad and the config wants to fail.
        """
        config = parameters.config
        artifact = artifacts.output("examples")
        part_file = files.join(artifact.uri, PARTS)
        parts = store(listing.parts_of(config, parameters.source_digest), part_file)
        artifact.split_names = artifact_utils.encode_split_names(list(schema.SPLITS))
        folders = {split: artifact_utils.get_split_uri([artifact], split) for split in schema.SPLITS}
        try:
            pipeline = self._make_beam_pipeline()
            with _in_processes(_processes(pipeline.options, len(parts))), pipeline:
                write_examples(pipeline, parts, config, folders, artifact.uri)
        finally:
            files.remove(part_file)
        account = Account(**json.loads(files.read(files.join(artifact.uri, ACCOUNT))))
        check_unchanged(config, parameters.source_digest)
        account.check(config)
        check_counts(account.counts, config.split)
        artifact.set_int_custom_property(utils.SPAN_PROPERTY_NAME, sources.latest_span(config))
        examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(artifact, "tfrecords_gzip")


class PictureExampleGen(node.BeamNode, executor=Executor):
    """TFX component; output `examples`, split into train, eval and test."""


def write_examples(
    pipeline: beam.Pipeline,
    parts: Sequence[Stored],
    config: Config,
    folders: dict[str, str],
    account_folder: str,
) -> beam.PCollection:
    """Adds to `pipeline` what writes the parts into the folder of each split, and their account.

    Args:
      pipeline: of Beam.
      parts: of the source, in a file that all workers can read.
      config: of the run.
      folders: folder or URL by split.
      account_folder: where the account goes.
    """
    layout = Layout(folders, "data_tfrecord-{index:05d}-of-{number:05d}.gz", len(parts), compress=True)
    return (
        pipeline
        | "Parts" >> beam.Create(list(enumerate(parts)), reshuffle=True)
        | "WriteParts" >> beam.ParDo(_WriteParts(config, layout))
        | "Gather" >> beam.CombineGlobally(_merged)
        | "Account" >> beam.Map(_write_account, account_folder)
    )


class _WriteParts(beam.DoFn):
    """Writes parts as they come, or, where there is a pool, all of a bundle together at its end."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self._config, self._layout = config, layout
        self._bundle: list[tuple[int, Any]] = []

    def start_bundle(self) -> None:
        self._bundle = []

    def process(self, element: tuple[int, Any]) -> Iterable[Account]:
        index, part = element  # Any, since Beam reads the annotation and cannot ask what is a Part.
        if _pool is not None:
            self._bundle.append(element)
        else:
            yield write_part(part, self._config, self._layout, index, threads=os.cpu_count() or 1)

    def finish_bundle(self) -> Iterable[WindowedValue]:
        if _pool is not None:
            for _, account in _pool.write(self._bundle, self._config, self._layout):
                yield WindowedValue(account, GlobalWindow().max_timestamp(), (GlobalWindow(),))


@contextmanager
def _in_processes(number: int) -> Iterator[None]:
    """Where more than one is wanted, starts them: they load what they need while Beam builds its graph."""
    global _pool
    if number == 1:
        yield
        return
    with Pool(number) as _pool:
        try:
            yield
        finally:
            _pool = None


def _processes(options: PipelineOptions, parts: int) -> int:
    """One per core where Beam runs in this process and the source is large enough to pay for starting them."""
    runner = options.view_as(StandardOptions).runner or ""
    in_process = runner.endswith("FnApiRunner")
    return min(os.cpu_count() or 1, parts) if in_process and parts >= _PARTS_WORTH_A_POOL else 1


def _merged(accounts: Iterable[Account]) -> Account:
    total = Account()
    for account in accounts:
        total.add(account)
    return total


def _write_account(account: Account, uri: str) -> None:
    for name, value in ((ACCOUNT, asdict(account)), (BAD_EXAMPLES, account.bad)):
        with files.open_to_write(files.join(uri, name)) as stream:
            stream.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape"))
