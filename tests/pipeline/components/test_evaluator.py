import json
import shutil

import pytest
import tensorflow as tf
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_beam_executor
from tfx.types import Channel, artifact_utils, standard_artifacts

from segpipe.config import Config, to_json
from segpipe.errors import ConfigError, DataError
from segpipe.evaluate import picture_table
from segpipe.evaluate.gate import Verdict
from segpipe.metrics import confusion
from segpipe.pipeline.components import evaluator
from segpipe.pipeline.targets import IN_PROCESS_BEAM
from tests.pipeline import segmenter


def _config(**sections):
    sections.setdefault("gate", {"min_mean_iou": 0.2})
    data = {"classes": segmenter.CLASSES, "image_size": 32}
    return Config(name="t", data=data, **sections)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    artifact.split_names = artifact_utils.encode_split_names(["train", "eval", "test"])
    segmenter.write_examples(folder / "Split-test" / "data-0.gz", *segmenter.pictures())
    return artifact


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of Model artifacts by name."""
    folder = tmp_path_factory.mktemp("models")
    predictions = {
        "noisy": lambda guess: guess,
        "blind": lambda guess: tf.where(guess == 2, tf.constant(0, tf.uint8), guess),
        "majority": tf.zeros_like,
    }
    for name, predict in predictions.items():
        segmenter.save(folder / name / "Format-Serving", predict, image_size=32)
    segmenter.save(folder / "renamed" / "Format-Serving", predictions["noisy"], classes=("cat", "dog", "bird"))
    segmenter.save(folder / "larger" / "Format-Serving", predictions["noisy"], image_size=64)
    shutil.copytree(folder / "noisy", folder / "broken")
    (folder / "broken" / "Format-Serving" / "saved_model.pb").write_bytes(b"no model")
    return folder


class Judge:
    """Runs the executor as TFX's launcher does."""

    def __init__(self, examples, models, folder):
        self._examples, self._models, self._folder = examples, models, folder

    def _artifact(self, kind, number, uri):
        artifact = kind()
        artifact.uri, artifact.id = str(uri), number
        return artifact

    def __call__(self, candidate, champion=None, config=None, override="", splits=("test",), before=""):
        inputs = {
            "examples": [self._examples],
            "model": [self._artifact(standard_artifacts.Model, 7, self._models / candidate)],
        }
        if champion:
            inputs["baseline_model"] = [self._artifact(standard_artifacts.Model, 6, self._models / champion)]
            blessing = self._artifact(standard_artifacts.ModelBlessing, 5, "unused")
            blessing.set_string_custom_property(evaluator.DATA_DIGEST, before)
            inputs["baseline_blessing"] = [blessing]
        self.evaluation = self._artifact(standard_artifacts.ModelEvaluation, 1, self._folder / "evaluation")
        self.blessing = self._artifact(standard_artifacts.ModelBlessing, 2, self._folder / "blessing")
        context = base_beam_executor.BaseBeamExecutor.Context(
            beam_pipeline_args=list(IN_PROCESS_BEAM), tmp_dir=str(self._folder), unique_id="1"
        )
        evaluator.Executor(context).Do(
            inputs,
            {"evaluation": [self.evaluation], "blessing": [self.blessing]},
            {
                "config": to_json(config or _config()),
                "code_digest": "x",
                "example_splits": json.dumps(splits),
                "override": override,
            },
        )
        return Verdict.from_json((self._folder / "evaluation" / "verdict.json").read_text())


@pytest.fixture
def judge(examples, models, tmp_path):
    return Judge(examples, models, tmp_path)


def test_a_good_first_model_is_blessed_as_tfx_blesses(judge, tmp_path):
    verdict = judge("noisy")
    assert verdict.blessed
    assert [path.name for path in (tmp_path / "blessing").iterdir()] == [constants.BLESSED_FILE_NAME]
    assert judge.blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == 1
    assert judge.blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY) == 7
    assert judge.blessing.get_string_custom_property("reasons") == "[]"


def test_the_worst_pictures_lie_beside_the_verdict(judge, tmp_path):
    judge("noisy")
    folder = tmp_path / "evaluation"
    pictures = picture_table.read(folder)
    scores = dict(zip(pictures.ids, confusion.mean_iou_of_margins(pictures.candidate), strict=True))
    shown = json.loads((folder / "worst/index.json").read_text())
    assert [one["mean_iou"] for one in shown] == pytest.approx(sorted(scores.values())[:3])
    assert [one["mean_iou"] for one in shown] == pytest.approx([scores[one["id"]] for one in shown])
    assert all((folder / "worst" / one["file"]).read_bytes().startswith(b"\xff\xd8") for one in shown)


def test_predicting_the_majority_everywhere_fails_the_default_gate(judge, tmp_path):
    verdict = judge("majority", config=_config(gate={}))
    assert not verdict.blessed
    assert verdict.rules[0].value < 0.5
    assert [path.name for path in (tmp_path / "blessing").iterdir()] == [constants.NOT_BLESSED_FILE_NAME]
    assert judge.blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == 0
    assert json.loads(judge.blessing.get_string_custom_property("reasons")) == verdict.reasons


def test_a_worse_model_is_not_blessed_and_a_better_one_is(judge):
    worse = judge("blind", champion="noisy", config=_config())
    assert [rule.passed for rule in worse.rules] == [True, False, False]
    assert "the champion is better" in worse.reasons[1]
    assert judge("noisy", champion="blind", config=_config()).blessed


def test_a_person_can_override_and_it_is_recorded(judge, tmp_path):
    verdict = judge("blind", champion="noisy", config=_config(), override="lakes do not matter in winter")
    assert verdict.blessed
    assert verdict.reasons
    assert judge.blessing.get_string_custom_property("override") == "lakes do not matter in winter"
    assert (tmp_path / "blessing" / constants.BLESSED_FILE_NAME).exists()


@pytest.mark.parametrize(
    ("champion", "words"),
    [
        ("renamed", "The champion was trained for the classes cat, dog, bird; now they are sea, land, lake."),
        ("broken", "The champion no longer loads"),
        ("gone", "The champion no longer loads"),
    ],
)
def test_a_champion_that_cannot_be_measured_blocks_with_a_way_out(judge, champion, words):
    verdict = judge("noisy", champion=champion)
    assert not verdict.blessed
    assert verdict.reasons[0].startswith(words)
    assert "--override-blessing" in verdict.reasons[0]
    assert picture_table.read(judge.evaluation.uri).champion is None


def test_other_pictures_and_another_size_are_noted(judge):
    verdict = judge("noisy", champion="larger", before="another")
    notes = [rule.sentence for rule in verdict.rules if rule.name == "note"]
    assert "The test split has changed since the champion was blessed" in notes[0]
    assert "may have trained the champion" in notes[0]
    assert "--override-blessing" in notes[0]
    assert "sees 64 pixels a side, this model 32" in notes[1]
    digest = judge.blessing.get_string_custom_property(evaluator.DATA_DIGEST)
    assert len(judge("noisy", champion="noisy", before=digest).rules) == 3


def test_budgets_and_slices_are_measured_where_the_gate_asks(judge):
    gate = {
        "min_mean_iou": 0.2,
        "max_latency_ms": 1e-3,
        "max_model_mb": 100,
        "min_slice_mean_iou": {"site": 0.99, "brightness=below 0.3": 0.01},
    }
    config = _config(gate=gate, evaluate={"min_slice_pictures": 14})
    verdict = judge("noisy", config=config)
    judged = {rule.name: rule.passed for rule in verdict.rules}
    assert judged == {
        "mean IoU, floor": True,
        "mean IoU of site=east, floor": None,
        "mean IoU of site=north, floor": False,
        "mean IoU of site=south, floor": None,
        "mean IoU of brightness=below 0.3, floor": True,
        "mean IoU against the champion": None,
        "latency in ms, budget": False,
        "model size in MB, budget": True,
    }


@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_split_that_made_the_model_never_judges_it(judge, split):
    with pytest.raises(ConfigError, match=f"split test alone, got {split}"):
        judge("noisy", splits=(split, "test"))


def test_a_candidate_that_does_not_load_is_an_error_not_a_verdict(judge):
    with pytest.raises(Exception, match="does not load") as raised:
        judge("broken")
    assert isinstance(raised.value, DataError) or "DataError" in str(raised.value)


def test_other_code_is_another_execution():
    channel = {"examples": standard_artifacts.Examples, "model": standard_artifacts.Model}
    component = evaluator.Evaluator(config=_config(), **{k: Channel(type=v) for k, v in channel.items()})
    assert len(component.exec_properties["code_digest"]) == 16
    assert json.loads(component.exec_properties["example_splits"]) == ["test"]
