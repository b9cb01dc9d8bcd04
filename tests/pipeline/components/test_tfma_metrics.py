import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score
from tensorflow_model_analysis import constants

from segpipe.config import Config
from segpipe.config.data import Data
from segpipe.evaluate import picture_table, slices
from segpipe.ingest import example, example_files
from segpipe.metrics.calibration import BINS, UNITS
from segpipe.pipeline.components import count_with_beam, evaluator, evaluator_output, tfma_metrics
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
    return example_files.shards([str(folder)]), truth[judged], guess[judged]


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
        slicings = slices.slicings(["site"], config.evaluate)
        evaluator.evaluate(pipeline, shards, models, config, str(folder), slicings)
    return evaluator_output.read(str(folder)), tfma.load_validation_result(str(folder))


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
        for s in slices.score(picture_table.read(tmp_path), min_pictures=1)
    }
    assert set(by_rows) == {
        "site=east", "site=north", "site=south", "brightness=below 0.3", "brightness=from 0.55"
    }  # fmt: skip
    assert by_tfma == {name: pytest.approx(scores) for name, scores in by_rows.items()}


def test_a_slicing_that_the_first_picture_lacks_is_in_tfmas_results(split, tmp_path, noisy):
    stored = [example.decode(serialized) for shard in split[0] for serialized in example_files.read(shard)]
    del stored[0]["slice/site"]
    shard = tmp_path / "data-0"
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for features in stored:
            writer.write(example.encode(features))
    _evaluate([str(shard)], tmp_path / "out", _config(), noisy)
    rows = tfma.load_metrics(str(tmp_path / "out"))
    sites = [key.bytes_value for row in rows for key in row.slice_key.single_slice_keys if key.column == "site"]
    assert sorted(sites) == [b"east", b"north", b"south"]


def test_a_model_without_a_champion_passes_on_its_floors_alone(split, tmp_path, noisy):
    gate = {"min_mean_iou": 0.3, "min_class_iou": {"sea": 0.5}}
    (candidate, champion), validation = _evaluate(split[0], tmp_path, _config(**gate), noisy)
    assert validation.validation_ok
    assert champion is None
    np.testing.assert_array_equal(candidate.confusion, confusion_matrix(split[1], split[2]))


def test_tfmas_viewer_reads_the_result(split, tmp_path, noisy):
    _evaluate(split[0], tmp_path, _config(), noisy)
    assert tfma.load_eval_result(str(tmp_path)).get_metrics_for_all_slices()


def _cases(num_classes, rng):
    """Confusion, boundary and calibration counts by name: what real test splits hardly ever hold."""
    dense = rng.integers(0, 50, (num_classes, num_classes))
    absent, never_true, never_predicted = dense.copy(), dense.copy(), dense.copy()
    absent[0], absent[:, 0] = 0, 0
    never_true[-1], never_predicted[:, -1] = 0, 0
    few = np.zeros_like(dense)
    few[rng.integers(0, num_classes, 3), rng.integers(0, num_classes, 3)] = rng.integers(1, 9, 3)
    # Beyond 2**24, where a float32 sum no longer sees one pixel more.
    huge = dense + np.eye(num_classes, dtype=int) * rng.integers(2**24, 2**40, num_classes)
    matrices = {
        "dense": dense,
        "a class is nowhere": absent,
        "a class is only predicted": never_true,
        "a class is never predicted": never_predicted,
        "few classes": few,
        "all ignored": np.zeros_like(dense),
        "huge": huge,
    }
    for name, matrix in matrices.items():
        pixels = matrix.sum()
        both = rng.integers(0, 1 + np.diagonal(matrix))
        near = [both, rng.integers(both, 1 + matrix.sum(1)), rng.integers(both, 1 + matrix.sum(0))]
        in_bins = rng.multinomial(pixels, np.full(BINS, 1 / BINS))
        right = rng.integers(0, 1 + in_bins)
        # Mean confidences within the bins, in UNITS for each pixel.
        confidence = in_bins * rng.integers(np.arange(BINS) * UNITS // BINS, (np.arange(BINS) + 1) * UNITS // BINS)
        yield (
            name,
            {
                "confusion": matrix.reshape(-1),
                "boundary": np.concatenate(near),
                "calibration": np.concatenate([in_bins, right, confidence]),
            },
        )


def _expected(counts, num_classes):
    """The metrics by scikit-learn, each cell of the confusion matrix a sample of its weight, and by plain division."""
    matrix = counts["confusion"].reshape(num_classes, num_classes)
    truth, prediction = np.nonzero(matrix)
    weight = matrix[truth, prediction]
    present = np.union1d(truth, prediction)
    expected = dict.fromkeys(("mean_iou", "pixel_accuracy", "frequency_weighted_iou"), np.nan)
    per_class = {name: np.full(num_classes, np.nan) for name in ("class_iou", "dice", "class_boundary_iou")}
    if len(present):
        weighted = {"labels": present, "sample_weight": weight, "zero_division": 0}
        per_class["class_iou"][present] = jaccard_score(truth, prediction, average=None, **weighted)
        per_class["dice"][present] = f1_score(truth, prediction, average=None, **weighted)
        expected["mean_iou"] = jaccard_score(truth, prediction, average="macro", **weighted)
        expected["frequency_weighted_iou"] = jaccard_score(truth, prediction, average="weighted", **weighted)
        expected["pixel_accuracy"] = accuracy_score(truth, prediction, sample_weight=weight)
    both, in_truth, in_prediction = counts["boundary"].reshape(3, num_classes).tolist()
    for class_id, (b, t, p) in enumerate(zip(both, in_truth, in_prediction, strict=True)):
        if t + p:
            per_class["class_boundary_iou"][class_id] = b / (t + p - b)
    boundary_iou = per_class["class_boundary_iou"]
    expected["mean_boundary_iou"] = np.nan if np.isnan(boundary_iou).all() else np.nanmean(boundary_iou)
    pixels, right, confidence = counts["calibration"].reshape(3, BINS).tolist()
    gaps = [n * abs(r / n - c / UNITS / n) for n, r, c in zip(pixels, right, confidence, strict=True) if n]
    expected["calibration_error"] = sum(gaps) / sum(pixels) if sum(pixels) else np.nan
    for name, values in per_class.items():
        expected |= {f"{name}/c{class_id}": value for class_id, value in enumerate(values)}
    return expected


@pytest.mark.parametrize("num_classes", [1, 150])
def test_odd_counts_pass_through_tfma_exactly(num_classes, tmp_path):
    rng = np.random.default_rng(num_classes)
    cases = dict(_cases(num_classes, rng))
    names = tuple(f"c{class_id}" for class_id in range(num_classes))
    data = Data(classes=("a", "b")).model_copy(update={"classes": names})  # A run needs two; the metrics take one too.
    # Each case is a slice of two pictures, so that TFMA adds up too.
    halves = {name: {output: rng.integers(0, 1 + c) for output, c in counts.items()} for name, counts in cases.items()}
    pictures = [
        {
            "id": f"{name}-{part}",
            "digest": "",
            "attributes": {"case": name},
            "counts": {constants.CANDIDATE_KEY: counts},
        }
        for name in cases
        for part, counts in enumerate(
            (halves[name], {output: counts - halves[name][output] for output, counts in cases[name].items()})
        )
    ]
    told = tfma.utils.update_eval_config_with_defaults(
        tfma_metrics.eval_config(Config(name="t", data=data), ["case"]), has_baseline=False, rubber_stamp=True
    )
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        count_with_beam.write_metrics(
            pipeline | beam.Create(pictures), told, {constants.CANDIDATE_KEY: ""}, str(tmp_path)
        )

    whole = {output: sum(counts[output] for counts in cases.values()) for output in cases["dense"]}
    expected = {(): _expected(whole, num_classes)} | {
        ("case", name): _expected(counts, num_classes) for name, counts in cases.items()
    }
    rows = {
        tuple(part for key in row.slice_key.single_slice_keys for part in (key.column, key.bytes_value.decode())): row
        for row in tfma.load_metrics(str(tmp_path))
    }
    assert set(rows) == set(expected)
    for key, row in rows.items():
        measured = {
            m.key.name: m.value.double_value.value
            for m in row.metric_keys_and_values
            if m.value.WhichOneof("type") == "double_value"
        }
        assert {name: measured[name] for name in expected[key]} == pytest.approx(expected[key], rel=1e-12, nan_ok=True)
        sums = {
            m.key.name: list(m.value.array_value.int64_values)
            for m in row.metric_keys_and_values
            if m.key.name in whole
        }
        assert sums == {output: c.tolist() for output, c in (cases[key[1]] if key else whole).items()}
