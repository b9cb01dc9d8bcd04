import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score
from tensorflow_model_analysis import constants

from segpipe.config import Config
from segpipe.evaluate import examples, slices, table
from segpipe.pipeline import evaluation, evaluator
from tests.pipeline import segmenter

CLASSES = segmenter.CLASSES


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """The test split as files, and its judged pixels as truth and guess."""
    folder = tmp_path_factory.mktemp("examples")
    truth, guess = segmenter.pictures()
    segmenter.write_examples(folder / "data-0.gz", truth[:25], guess[:25])
    segmenter.write_examples(folder / "data-1.gz", truth[25:], guess[25:])
    judged = truth != 255
    return examples.shards([str(folder)]), truth[judged], guess[judged]


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    return segmenter.save(tmp_path_factory.mktemp("models") / "noisy", lambda guess: guess)


@pytest.fixture(scope="module")
def blind_to_lakes(tmp_path_factory):
    return segmenter.save(
        tmp_path_factory.mktemp("models") / "blind", lambda guess: tf.where(guess == 2, tf.constant(0, tf.uint8), guess)
    )


def _evaluate(shards, folder, config, candidate, champion=None):
    models = {constants.CANDIDATE_KEY: candidate} | ({constants.BASELINE_KEY: champion} if champion else {})
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        evaluator.evaluate(pipeline, shards, models, config, examples.first(shards), str(folder))
    return evaluation.read(str(folder)), tfma.load_validation_result(str(folder))


def _config(**gate):
    return Config(name="t", data={"classes": CLASSES}, gate=gate)


def test_metrics_agree_with_scikit_learn_for_both_models(split, tmp_path, noisy, blind_to_lakes):
    shards, truth, guess = split
    (candidate, champion), validation = _evaluate(shards, tmp_path, _config(min_mean_iou=0.01), blind_to_lakes, noisy)
    for scores, prediction in ((champion, guess), (candidate, np.where(guess == 2, 0, guess))):
        np.testing.assert_array_equal(scores.confusion, confusion_matrix(truth, prediction))
        iou = jaccard_score(truth, prediction, average=None)
        f1 = f1_score(truth, prediction, average=None)
        assert scores.metrics["mean_iou"] == pytest.approx(iou.mean())
        assert scores.metrics["pixel_accuracy"] == pytest.approx(accuracy_score(truth, prediction))
        assert scores.metrics["frequency_weighted_iou"] == pytest.approx(
            jaccard_score(truth, prediction, average="weighted")
        )
        for class_id, name in enumerate(CLASSES):
            assert scores.metrics[f"class_iou/{name}"] == pytest.approx(iou[class_id])
            assert scores.metrics[f"dice/{name}"] == pytest.approx(f1[class_id])
        assert 0 < scores.metrics["mean_boundary_iou"] < 1
        confidence = np.exp(4) / (np.exp(4) + 2)
        gap = abs(accuracy_score(truth, prediction) - confidence)
        assert scores.metrics["calibration_error"] == pytest.approx(gap, abs=1e-4)
    failures = [f.metric_key.name for s in validation.metric_validations_per_slice for f in s.failures]
    assert failures == ["mean_iou"]


def test_tfmas_slices_agree_with_the_rows(split, tmp_path, noisy, blind_to_lakes):
    _evaluate(split[0], tmp_path, _config(), blind_to_lakes, noisy)
    by_tfma = {}
    for row in tfma.load_metrics(str(tmp_path)):
        for key in row.slice_key.single_slice_keys:
            by_tfma[f"{key.column}={key.bytes_value.decode()}"] = {
                m.key.model_name: m.value.double_value.value
                for m in row.metric_keys_and_values
                if m.key.name == "mean_iou" and not m.key.is_diff
            }
    by_rows = {
        s.name: {constants.CANDIDATE_KEY: s.mean_iou, constants.BASELINE_KEY: s.champion_mean_iou}
        for s in slices.score(table.read(tmp_path), min_pictures=1)
    }
    assert set(by_rows) == {
        "site=east", "site=north", "site=south", "brightness=below 0.3", "brightness=from 0.55"
    }  # fmt: skip
    assert by_tfma == {name: pytest.approx(scores) for name, scores in by_rows.items()}


def test_a_model_without_a_champion_passes_on_its_floors_alone(split, tmp_path, noisy):
    gate = {"min_mean_iou": 0.3, "min_class_iou": {"sea": 0.5}}
    (candidate, champion), validation = _evaluate(split[0], tmp_path, _config(**gate), noisy)
    assert validation.validation_ok
    assert champion is None
    np.testing.assert_array_equal(candidate.confusion, confusion_matrix(split[1], split[2]))


def test_tfmas_viewer_reads_the_result(split, tmp_path, noisy):
    _evaluate(split[0], tmp_path, _config(), noisy)
    assert tfma.load_eval_result(str(tmp_path)).get_metrics_for_all_slices()
