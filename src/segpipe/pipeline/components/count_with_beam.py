"""Counts test Examples on Beam, for TFMA's metrics and one Parquet row per picture.

Both models count a batch of pictures once. From there on only counts travel: TFMA sums them by slice, and the rows keep
them by picture for the bootstrap, the slices and the choice of the pictures that the report shows.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.extractors import slice_key_extractor
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.writers import eval_config_writer, metrics_plots_and_validations_writer

from segpipe import schema
from segpipe.config.evaluate import Evaluate
from segpipe.evaluate import picture_table
from segpipe.evaluate.count_locally import digest
from segpipe.evaluate.slices import attributes
from segpipe.ingest import example, example_files
from segpipe.metrics import confusion
from segpipe.metrics.measures import CONFUSION
from segpipe.savedmodel.load import load_to_count

_BATCH = 32

Models = Mapping[str, str]
"""Folder or URL of the SavedModel by TFMA's name of the model: candidate, and baseline where there is one."""


def read_examples(pipeline: beam.Pipeline, shards: Sequence[str]) -> beam.PCollection:
    """TFRecord files → serialized Examples, one file after the other in each worker."""
    return pipeline | "Shards" >> beam.Create(shards, reshuffle=True) | "Read" >> beam.FlatMap(example_files.read)


def count_pictures(serialized: beam.PCollection, models: Models, evaluate: Evaluate) -> beam.PCollection:
    """Serialized Examples → dicts of id, digest, attributes, and counts by model and output."""
    return (
        serialized
        | "Batch" >> beam.BatchElements(min_batch_size=_BATCH, max_batch_size=_BATCH)
        | "Count" >> beam.ParDo(_Count(models, evaluate))
    )


def write_metrics(
    pictures: beam.PCollection, eval_config: config_pb2.EvalConfig, models: Models, output_uri: str
) -> None:
    """Counted pictures → TFMA's results, as its own Evaluator writes them."""
    # TFMA asks for the models only to know which is the baseline: they have counted already.
    shared = [
        tfma.EvalSharedModel(
            model_name=name,
            model_type=constants.TF_GENERIC,
            model_path=path,
            is_baseline=name == constants.BASELINE_KEY,
        )
        for name, path in models.items()
    ]
    settings = {"eval_config": eval_config, "eval_shared_model": shared}
    # TFMA's default writers also write plots and attributions, of which there are none: half of the graph's set-up.
    writers = [
        eval_config_writer.EvalConfigWriter(output_uri, eval_config=eval_config, model_locations=dict(models)),
        metrics_plots_and_validations_writer.MetricsPlotsAndValidationsWriter(
            output_paths={key: f"{output_uri}/{key}" for key in (constants.METRICS_KEY, constants.VALIDATIONS_KEY)},
            eval_config=eval_config,
            output_file_format="tfrecord",
            rubber_stamp=len(models) == 1,
        ),
    ]
    slice_keys = slice_key_extractor.SliceKeyExtractor(eval_config=eval_config, materialize=False)
    _ = (
        pictures
        | "ToExtracts" >> beam.Map(_to_extracts)
        | "Metrics" >> tfma.ExtractAndEvaluate([slice_keys], tfma.default_evaluators(**settings))
        | "WriteMetrics" >> tfma.WriteResults(writers)
    )


def write_rows(pictures: beam.PCollection, output_uri: str) -> None:
    """Counted pictures → the Parquet files of `evaluate/picture_table.py`."""
    prefix = f"{output_uri}/{picture_table.FILE_PREFIX}"
    _ = (
        pictures
        | "ToRow" >> beam.Map(_to_row)
        | "WriteRows" >> beam.io.WriteToParquet(prefix, picture_table.ROW, file_name_suffix=picture_table.FILE_SUFFIX)
    )


class _Count(beam.DoFn):
    def __init__(self, models: Models, evaluate: Evaluate):
        self._models = models
        self._evaluate = evaluate

    def setup(self) -> None:
        self._loaded = {name: load_to_count(path) for name, path in self._models.items()}

    def process(self, batch: Sequence[bytes]) -> Iterator[dict[str, Any]]:
        counts = {name: model.count(batch) for name, model in self._loaded.items()}
        for position, serialized in enumerate(batch):
            features = example.decode(serialized)
            yield {
                "id": features[schema.ID][0].decode("utf-8", "replace"),
                "digest": digest(features),
                "attributes": attributes(features, self._evaluate),
                "counts": {
                    name: {output: values[position] for output, values in outputs.items()}
                    for name, outputs in counts.items()
                },
            }


def _to_extracts(picture: Mapping[str, Any]) -> dict[str, Any]:
    counts = picture["counts"]
    return {
        constants.INPUT_KEY: b"",  # TFMA measures it, and warns for every picture where it is missing.
        constants.FEATURES_KEY: {name: np.array([value]) for name, value in picture["attributes"].items()},
        constants.PREDICTIONS_KEY: counts if len(counts) > 1 else counts[constants.CANDIDATE_KEY],
        constants.LABELS_KEY: np.zeros(0),  # The truth is in the counts.
        constants.EXAMPLE_WEIGHTS_KEY: np.ones(1),
    }


def _to_row(picture: Mapping[str, Any]) -> dict[str, Any]:
    margins = {
        name: confusion.margins(confusion.square(outputs[CONFUSION])) for name, outputs in picture["counts"].items()
    }
    return picture_table.row(
        picture["id"],
        picture["digest"],
        picture["attributes"],
        margins[constants.CANDIDATE_KEY],
        margins.get(constants.BASELINE_KEY),
    )
