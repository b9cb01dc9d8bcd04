"""ExampleValidator stops at data that does not fit and names feature, expectation, finding and pictures."""

import base64
import io
import json
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image
from tfx.types import standard_artifacts

from segpipe import schema
from segpipe.config.data import Validation
from segpipe.errors import DataError
from segpipe.ingest import feature_schema
from segpipe.ingest.bad_picture import BadPicturesError
from segpipe.pipeline import graph
from segpipe.pipeline.components import statistics_gen
from segpipe.pipeline.components.example_validator import BlockingExecutor
from segpipe.pipeline.local import run, runner
from segpipe.pipeline.targets import PREVIOUS_NODE_ID, LocalTarget
from tests import pictures
from tests.docs.blocks import ROOT
from tests.ingest.sources import layouts
from tests.pipeline.components.test_statistics_gen import count, features, write_examples

CLASSES = ("a", "b", "c")


def named(number: int, rng: np.random.Generator, **changes: object) -> dict:
    """Features of a picture that can be seen, with an id that can be read."""
    seen = {
        schema.ID: f"p{number:02d}".encode(),
        schema.IMAGE: pictures.encoded(pictures.image(number), "JPEG"),
        schema.MASK: pictures.encoded(pictures.mask(values=(0, 1, 2))),
    }
    whole = {**features(rng), **seen, **changes}
    return {name: value for name, value in whole.items() if value is not None}


def data(eval_changes: dict | None = None, shift: float = 0.0) -> dict[str, list[list[dict]]]:
    """Sixty pictures for train and for eval, six for test; brightness between 0 and 0.5."""
    rng = np.random.default_rng(0)

    def of(number: int, changes: dict) -> list[dict]:
        made = [named(index, rng) for index in range(number)]
        for one in made:
            one[schema.BRIGHTNESS] = min(1.0, one[schema.BRIGHTNESS] + shift)
        made[3] = {**made[3], **changes}
        return [{name: value for name, value in one.items() if value is not None} for one in made]

    return {"train": [of(60, {})], "eval": [of(60, eval_changes or {})], "test": [of(6, {})]}


@pytest.fixture
def validate(tmp_path):
    """StatisticsGen, then ExampleValidator with the schema of three classes; returns the anomalies."""
    imported = standard_artifacts.Schema()
    imported.uri, imported.id = str(tmp_path / "schema"), 3
    (tmp_path / "schema").mkdir()
    feature_schema.write(tmp_path / "schema" / "schema.pbtxt", feature_schema.build(CLASSES))

    def judge(examples: dict, previous: dict | None = None, skew: dict | None = None, drift: dict | None = None):
        artifact = write_examples(tmp_path / "examples", examples)
        inputs = {
            "examples": [artifact],
            "statistics": [count(statistics_gen.Executor, artifact, tmp_path / "statistics")],
            "schema": [imported],
        }
        if previous:
            before = write_examples(tmp_path / "before", previous)
            inputs["previous_statistics"] = [count(statistics_gen.Executor, before, tmp_path / "before-statistics")]
        anomalies = standard_artifacts.ExampleAnomalies()
        anomalies.uri, anomalies.id = str(tmp_path / "anomalies"), 4
        limits = json.dumps({"max_skew": skew or {}, "max_drift": drift or {}})
        BlockingExecutor().Do(inputs, {"anomalies": [anomalies]}, {"limits": limits})
        return anomalies

    return judge


def test_good_data_passes_and_the_anomalies_say_which_statistics_were_accepted(validate, tmp_path):
    assert validate(data()).get_int_custom_property("statistics_id") == 2
    assert (tmp_path / "anomalies" / "Split-test" / "SchemaDiff.pb").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {schema.BRIGHTNESS: 1.5},
            "brightness in the eval split: expected one value in 0…1, found 1.5, in 1 picture: p03.",
        ),
        ({schema.HEIGHT: 0}, "height in the eval split: expected one value of at least 1, found 0, in 1 picture: p03."),
        (
            {schema.SHARPNESS: None},
            "sharpness in the eval split: expected one value in 0…8, found no value, in 1 picture: p03.",
        ),
        (
            {schema.CLASS_FRACTION: [0.5, 0.5]},
            "class_fraction in the eval split: expected 3 values in 0…1, found 2 values, in 1 picture: p03.",
        ),
        (
            {schema.CONTRAST: float("nan")},
            "contrast in the eval split: expected one value in 0…0.5, found NaN, in 1 picture: p03.",
        ),
    ],
)
def test_each_anomaly_is_a_sentence_and_its_picture_is_shown(changes, sentence, validate):
    with pytest.raises(BadPicturesError) as stopped:
        validate(data(changes))
    assert str(stopped.value) == f"the data is not what it should be: {sentence}"
    [offender] = stopped.value.offenders
    assert offender.id == "p03"
    assert sentence.startswith(offender.sentence.rstrip("."))
    with Image.open(io.BytesIO(base64.b64decode(offender.tile))) as tile:
        assert tile.size == (292, 144)


def test_train_and_eval_may_differ_unless_the_config_limits_it(validate):
    darker = {**data(), "eval": data(shift=0.5)["eval"]}
    with pytest.raises(
        DataError, match=r"brightness in the train split: expected skew .* at most 0\.3 from the eval spli"
    ):
        validate(darker, skew={"brightness": 0.3})


def test_skew_below_the_limit_passes(validate):
    validate({**data(), "eval": data(shift=0.5)["eval"]}, skew={"contrast": 0.3})


def test_drift_from_the_last_accepted_run_names_the_farthest_pictures(validate):
    with pytest.raises(BadPicturesError) as stopped:
        validate(data(shift=0.4), previous=data(), drift={"brightness": 0.3})
    said = str(stopped.value)
    assert "expected drift (Jensen-Shannon divergence) of at most 0.3 from the training pictures of the last" in said
    brightest = max(data(shift=0.4)["train"][0], key=lambda one: one[schema.BRIGHTNESS])[schema.ID].decode()
    assert stopped.value.offenders[0].id == brightest
    assert f"the farthest are {brightest}, " in said


def test_a_feature_that_has_no_statistics_cannot_be_limited():
    with pytest.raises(ValueError, match=r"\[validation\] knows height, width, brightness.*, got 'image'"):
        Validation(max_drift={"image": 0.1})


class _EnoughError(Exception):
    """The validator is through; the rest of the graph trains."""


class _UpToTheValidator:
    def node_started(self, node: str) -> None:
        if node == "Transform":
            raise _EnoughError

    def node_finished(self, outcome: runner.Outcome) -> None: ...


def _run_up_to_the_validator(config) -> None:
    whole = graph.build(config, LocalTarget(config.output_path))
    with suppress(_EnoughError):
        runner.ObservedLocalDagRunner(_UpToTheValidator()).run(whole)


def _span(folder, shade: int) -> None:
    pictures.write_folder(folder, 40)
    for index, path in enumerate(sorted((folder / "images").iterdir())):
        image = Image.new("RGB", (24, 16), (shade + index, shade, shade))
        path.write_bytes(pictures.encoded(image, "JPEG"))


def test_a_span_that_drifted_is_stopped_and_never_becomes_what_the_next_is_held_against(tmp_path):
    """The same graph as a run's, up to ExampleValidator, through ML Metadata."""
    config = pictures.config(
        tmp_path / "span-{SPAN}",
        source={"spans": 1},
        validation={"max_drift": {"brightness": 0.5}},
        output_dir=str(tmp_path / "run"),
        directory=tmp_path,
    )
    feature_schema.write(tmp_path / "schema.pbtxt", feature_schema.build(config.data.classes))
    _span(tmp_path / "span-1", 40)
    _run_up_to_the_validator(config)
    _span(tmp_path / "span-2", 180)
    with pytest.raises(DataError, match="brightness in the train split: expected drift"):
        _run_up_to_the_validator(config)
    with pytest.raises(DataError, match="brightness in the train split: expected drift"):
        _run_up_to_the_validator(config)
    _span(tmp_path / "span-3", 40)
    _run_up_to_the_validator(config)


@pytest.mark.parametrize("side", [24, 128])
def test_the_published_schema_is_imported_with_the_published_format(side, tmp_path):
    config = layouts.published(tmp_path / "data")
    config = config.model_copy(update={"output_dir": str(tmp_path / "run"), "directory": tmp_path})
    published = (ROOT / "benchmarks" / "published_design.pbtxt").read_text()
    if side == 24:  # The size of these pictures.
        published = published.replace("{ size: 128 } dim { size: 128 }", "{ size: 16 } dim { size: 24 }")
    (tmp_path / "schema.pbtxt").write_text(published)
    if side == 24:
        _run_up_to_the_validator(config)
        return
    with pytest.raises(
        DataError, match=r"height in the train split: expected one value in 128…128, found 16, in \d+ pict"
    ):
        _run_up_to_the_validator(config)


def test_without_a_limit_the_graph_has_no_node_for_it(tmp_path):
    config = pictures.config(pictures.write_folder(tmp_path / "data"), directory=tmp_path)
    assert PREVIOUS_NODE_ID not in {node.id for node in graph.build(config, LocalTarget(tmp_path / "run")).components}


def test_a_run_that_its_pictures_stop_leaves_a_report_with_their_contact_sheet(tmp_path):
    root = pictures.write_folder(tmp_path / "data", 30)
    cut = (root / "images" / "p03.jpg").read_bytes()
    (root / "images" / "p03.jpg").write_bytes(cut[:-150])
    (root / "masks" / "p07.png").write_bytes(pictures.encoded(pictures.mask(values=(0, 9))))
    config = pictures.config(root, output_dir=str(tmp_path / "run"), directory=tmp_path)
    feature_schema.write(tmp_path / "schema.pbtxt", feature_schema.build(config.data.classes))
    with pytest.raises(DataError, match="2 of 30 pictures cannot be used"):
        run.run(config, lambda node: None, lambda outcome, note: None)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["status"] == "failed"
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert str(tmp_path / "run" / "report" / "index.html") == summary["report"]
    assert page.count('src="data:image/jpeg;base64,') == 2
    assert "p07.png holds value 9 in 50.0% of its pixels" in page
