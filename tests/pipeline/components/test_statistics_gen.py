"""One pass gives the statistics of TFX's own StatisticsGen."""

import gzip
import re

import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from tfx.components.statistics_gen import executor as stock
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils, standard_artifacts

from segpipe import schema
from segpipe.ingest import example
from segpipe.io import tfrecord
from segpipe.pipeline.components import statistics_gen
from segpipe.pipeline.targets import IN_PROCESS_BEAM

SIZES = {"train": (30, 41), "eval": (9,), "test": (12, 5)}
"""Pictures in each file of each split."""


def features(rng: np.random.Generator) -> dict:
    first, second = np.sort(rng.uniform(size=2))
    return {
        schema.IMAGE: rng.bytes(50),
        schema.MASK: rng.bytes(20),
        schema.ID: rng.bytes(8),
        schema.HEIGHT: int(rng.integers(32, 512)),
        schema.WIDTH: int(rng.integers(32, 512)),
        **{name: float(rng.uniform(0, 0.5)) for name in schema.IMAGE_STATISTICS},
        schema.CLASS_FRACTION: [float(first), float(second - first), float(1 - second)],
    }


def write_examples(folder, pictures: dict[str, list[list[dict]]]) -> standard_artifacts.Examples:
    artifact = standard_artifacts.Examples()
    artifact.uri, artifact.id, artifact.span = str(folder), 1, 7
    artifact.split_names = artifact_utils.encode_split_names(list(pictures))
    artifact.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    artifact.set_string_custom_property("file_format", "tfrecords_gzip")
    for split, files in pictures.items():
        (folder / f"Split-{split}").mkdir(parents=True)
        for number, records in enumerate(files):
            with gzip.open(folder / f"Split-{split}" / f"data_tfrecord-{number}.gz", "wb") as stream:
                for record in records:
                    tfrecord.write(stream, example.encode(record))
    return artifact


def count(executor: type[BaseExecutor], examples, folder, **properties) -> standard_artifacts.ExampleStatistics:
    artifact = standard_artifacts.ExampleStatistics()
    artifact.uri, artifact.id = str(folder), 2
    context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=list(IN_PROCESS_BEAM))
    executor(context).Do({"examples": [examples]}, {"statistics": [artifact]}, properties)
    return artifact


def numbers(artifact, split):
    """TFDV's text of a split, cut into words and numbers."""
    text = str(tfdv.load_stats_binary(f"{artifact.uri}/Split-{split}/FeatureStats.pb"))
    found = re.findall(r"-?[0-9.]+(?:e-?[0-9]+)?", text)
    return re.sub(r"-?[0-9.]+(?:e-?[0-9]+)?", "#", text), [float(number) for number in found]


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    return {split: [[features(rng) for _ in range(size)] for size in sizes] for split, sizes in SIZES.items()}


@pytest.fixture(scope="module")
def examples(pictures, tmp_path_factory):
    return write_examples(tmp_path_factory.mktemp("examples"), pictures)


@pytest.fixture(scope="module")
def counted(examples, tmp_path_factory):
    return count(statistics_gen.Executor, examples, tmp_path_factory.mktemp("statistics"))


def test_the_statistics_are_those_of_tfx_split_by_split(examples, counted, tmp_path):
    observed = tfdv.StatsOptions(feature_allowlist=list(schema.SCALARS))
    expected = count(stock.Executor, examples, tmp_path / "stock", stats_options_json=observed.to_json())
    assert counted.split_names == expected.split_names
    assert counted.span == expected.span == 7
    for split in SIZES:
        (words, values), (stock_words, stock_values) = numbers(counted, split), numbers(expected, split)
        assert words == stock_words
        assert values == pytest.approx(stock_values, rel=1e-9)  # The order of addition differs.


def test_the_numbers_are_those_of_numpy(pictures, counted):
    for split, files in pictures.items():
        [dataset] = tfdv.load_stats_binary(f"{counted.uri}/Split-{split}/FeatureStats.pb").datasets
        assert dataset.num_examples == sum(SIZES[split])
        by_name = {feature.path.step[0]: feature.num_stats for feature in dataset.features}
        assert set(by_name) == set(schema.SCALARS)
        values = np.array([record[schema.BRIGHTNESS] for records in files for record in records], np.float32)
        measured = by_name[schema.BRIGHTNESS]
        assert [measured.mean, measured.std_dev, measured.min, measured.max] == pytest.approx(
            [values.mean(), values.std(), values.min(), values.max()], rel=1e-5
        )
