import json

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score
from tensorflow_model_analysis import constants

from segpipe.config import Config
from segpipe.evaluate.counts import evaluation_outputs
from segpipe.pipeline import evaluation, metrics

CLASSES = ("sea", "land", "lake")
SIZE = 16


class _Segmenter(tf.Module):
    """A SavedModel whose prediction is the picture's truth, wrong wherever `noise` says so, or one class everywhere."""

    def __init__(self, predict):
        super().__init__()
        self._predict = predict

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def from_examples(self, examples):
        features = tf.io.parse_example(
            examples,
            {"mask": tf.io.FixedLenFeature([], tf.string), "image": tf.io.FixedLenFeature([], tf.string)},
        )
        truth = tf.reshape(tf.io.decode_raw(features["mask"], tf.uint8), [-1, SIZE, SIZE])
        guess = tf.reshape(tf.io.decode_raw(features["image"], tf.uint8), [-1, SIZE, SIZE])
        logits = tf.one_hot(self._predict(guess), len(CLASSES))
        return evaluation_outputs(tf.cast(truth, tf.int64), logits)


def _save(path, predict):
    module = _Segmenter(predict)
    tf.saved_model.save(module, str(path), signatures={"from_examples": module.from_examples})
    return str(path)


def _write_examples(path, truth, guess):
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for number, (t, g) in enumerate(zip(truth, guess, strict=True)):
            feature = {
                "id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[f"picture-{number}".encode()])),
                "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[g.astype(np.uint8).tobytes()])),
                "mask": tf.train.Feature(bytes_list=tf.train.BytesList(value=[t.astype(np.uint8).tobytes()])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Twelve pictures: mostly sea, some land, no lake in the truth of most; a fifth of the pixels are guessed wrong."""
    rng = np.random.default_rng(7)
    truth = rng.choice([0, 1, 2, 255], size=(12, SIZE, SIZE), p=[0.8, 0.12, 0.03, 0.05])
    guess = np.where(truth == 255, 0, truth)
    wrong = rng.random(truth.shape) < 0.2
    guess[wrong] = rng.integers(0, 3, wrong.sum())
    path = tmp_path_factory.mktemp("examples") / "test-0.gz"
    _write_examples(path, truth, guess)
    judged = truth != 255
    return path, truth[judged], guess[judged]


def _config(**gate):
    return Config(name="t", data={"classes": CLASSES}, gate=gate)


def _evaluate(config, examples, output, candidate, baseline=None):
    """Runs TFMA as TFX's Evaluator does: same defaults, same default_eval_shared_model."""
    eval_config = tfma.utils.update_eval_config_with_defaults(
        metrics.eval_config(config, "digest"), has_baseline=baseline is not None, rubber_stamp=True
    )
    paths = {constants.CANDIDATE_KEY: candidate, constants.BASELINE_KEY: baseline}
    models = [
        tfma.default_eval_shared_model(
            eval_saved_model_path=paths[spec.name or constants.CANDIDATE_KEY],
            model_name=spec.name,
            eval_config=eval_config,
        )
        for spec in eval_config.model_specs
    ]
    tfma.run_model_analysis(
        eval_shared_model=models if len(models) > 1 else models[0],
        eval_config=eval_config,
        data_location=str(examples),
        output_path=str(output),
    )
    rows = {}
    for row in tfma.load_metrics(str(output)):
        for metric in row.metric_keys_and_values:
            rows[metric.key.model_name, metric.key.name, metric.key.is_diff] = metric.value.double_value.value
    return rows, tfma.load_validation_result(str(output))


def test_values_agree_with_scikit_learn_and_a_drop_fails_the_gate(pictures, tmp_path):
    path, truth, guess = pictures
    noisy = _save(tmp_path / "noisy", lambda guess: guess)
    worse = _save(tmp_path / "worse", lambda guess: tf.where(guess == 2, tf.constant(0, tf.uint8), guess))
    rows, verdict = _evaluate(_config(min_mean_iou=0.01), path, tmp_path / "out", worse, baseline=noisy)
    iou = jaccard_score(truth, guess, average=None)
    name = constants.BASELINE_KEY
    assert rows[name, "mean_iou", False] == pytest.approx(iou.mean())
    assert rows[name, "pixel_accuracy", False] == pytest.approx(accuracy_score(truth, guess))
    assert rows[name, "frequency_weighted_iou", False] == pytest.approx(jaccard_score(truth, guess, average="weighted"))
    for class_id, class_name in enumerate(CLASSES):
        assert rows[name, f"class_iou/{class_name}", False] == pytest.approx(iou[class_id])
        assert rows[name, f"dice/{class_name}", False] == pytest.approx(f1_score(truth, guess, average=None)[class_id])
    candidate_scores, baseline_scores = evaluation.read(str(tmp_path / "out"))
    np.testing.assert_array_equal(baseline_scores.confusion, confusion_matrix(truth, guess))
    assert candidate_scores.confusion[:, 2].sum() == 0
    assert baseline_scores.metrics["mean_iou"] == pytest.approx(iou.mean())
    candidate = jaccard_score(truth, np.where(guess == 2, 0, guess), average=None).mean()
    assert rows[constants.CANDIDATE_KEY, "mean_iou", True] == pytest.approx(candidate - iou.mean())
    assert not verdict.validation_ok
    assert [f.metric_key.name for s in verdict.metric_validations_per_slice for f in s.failures] == ["mean_iou"]


def test_a_better_model_without_a_baseline_passes_on_its_floors_alone(pictures, tmp_path):
    path, truth, guess = pictures
    noisy = _save(tmp_path / "noisy", lambda guess: guess)
    rows, verdict = _evaluate(_config(min_mean_iou=0.3, min_class_iou={"sea": 0.5}), path, tmp_path / "out", noisy)
    assert verdict.validation_ok
    assert rows["", "mean_iou", False] == pytest.approx(jaccard_score(truth, guess, average="macro"))
    candidate, baseline = evaluation.read(str(tmp_path / "out"))
    np.testing.assert_array_equal(candidate.confusion, confusion_matrix(truth, guess))
    assert baseline is None


def test_predicting_the_majority_class_everywhere_fails_the_default_gate(pictures, tmp_path):
    path, truth, _ = pictures
    majority = _save(tmp_path / "majority", tf.zeros_like)
    rows, verdict = _evaluate(_config(), path, tmp_path / "out", majority)
    assert rows["", "pixel_accuracy", False] == pytest.approx((truth == 0).mean())
    assert rows["", "pixel_accuracy", False] > 0.8
    assert not verdict.validation_ok


def test_another_code_digest_is_another_evaluation():
    one, other = (metrics.eval_config(_config(), digest) for digest in ("a", "b"))
    assert one != other
    assert json.loads(one.metrics_specs[0].metrics[0].config)["code_digest"] == "a"
