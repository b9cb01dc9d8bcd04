"""One pass gives the statistics of TFX's own StatisticsGen, and ExampleValidator stops at what does not fit them."""

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
from segpipe.errors import DataError
from segpipe.ingest import example, feature_schema, tfrecord
from segpipe.pipeline import statistics_gen
from segpipe.pipeline.example_validator import BlockingExecutor
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
    observed = tfdv.StatsOptions(feature_allowlist=list(statistics_gen.OBSERVED_FEATURES))
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
        assert set(by_name) == set(statistics_gen.OBSERVED_FEATURES)
        values = np.array([record[schema.BRIGHTNESS] for records in files for record in records], np.float32)
        measured = by_name[schema.BRIGHTNESS]
        assert [measured.mean, measured.std_dev, measured.min, measured.max] == pytest.approx(
            [values.mean(), values.std(), values.min(), values.max()], rel=1e-5
        )


def validate(examples, folder) -> None:
    """StatisticsGen, then ExampleValidator with the schema of three classes."""
    statistics = count(statistics_gen.Executor, examples, folder / "statistics")
    imported = standard_artifacts.Schema()
    imported.uri, imported.id = str(folder / "schema"), 3
    (folder / "schema").mkdir()
    feature_schema.write(folder / "schema" / "schema.pbtxt", feature_schema.build(["a", "b", "c"]))
    anomalies = standard_artifacts.ExampleAnomalies()
    anomalies.uri, anomalies.id = str(folder / "anomalies"), 4
    BlockingExecutor().Do({"statistics": [statistics], "schema": [imported]}, {"anomalies": [anomalies]}, {})


def test_good_data_passes_the_validator(examples, tmp_path):
    validate(examples, tmp_path)
    assert (tmp_path / "anomalies" / "Split-test" / "SchemaDiff.pb").exists()


def test_a_value_outside_its_domain_stops_the_run_and_is_named(pictures, tmp_path):
    spoilt = [[*pictures["eval"][0], {**pictures["eval"][0][0], schema.BRIGHTNESS: 1.5}]]
    with pytest.raises(DataError, match=r"does not fit the schema: brightness in eval: .*1\.5"):
        validate(write_examples(tmp_path / "examples", {**pictures, "eval": spoilt}), tmp_path)


def test_a_feature_that_is_missing_stops_the_run_and_is_named(pictures, tmp_path):
    without = [[{name: value for name, value in pictures["test"][0][0].items() if name != schema.SHARPNESS}]]
    with pytest.raises(DataError, match="sharpness in test"):
        validate(write_examples(tmp_path / "examples", {**pictures, "test": without}), tmp_path)
