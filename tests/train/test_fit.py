import json
import random
from importlib import import_module

import numpy as np
import pytest
import tensorflow as tf

from segpipe import progress, train
from segpipe.errors import RunError
from segpipe.preprocess import pictures
from segpipe.train import checkpoint, data, metrics
from tests.train.conftest import SIZE, tiny_config, transform

fit = import_module("segpipe.train.fit")  # By its module's name: the package has a function of the same name.


@pytest.fixture(scope="module")
def trained(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    heard = []
    with progress.listening(heard.append):
        result = train.fit(tiny_config(epochs=8, precision="mixed_bfloat16"), *files, transform, str(folder))
    return result, folder, heard


def test_the_loss_falls_and_the_rectangle_is_found(trained):
    history = trained[0].history
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert max(row["val_mean_iou"] for row in history) > 0.6


class BuiltError(Exception):
    """A training that ends with its network's initial weights."""


def test_the_first_weights_are_the_seeds_whoever_else_draws_random_numbers(files, tmp_path, monkeypatch):
    build = fit.models.build

    def first_weights(disturb) -> list[np.ndarray]:
        def built(*arguments):
            disturb()
            raise BuiltError(build(*arguments).model.get_weights())

        monkeypatch.setattr(fit.models, "build", built)
        with pytest.raises(BuiltError) as ended:
            train.fit(tiny_config(), *files, transform, str(tmp_path))
        return ended.value.args[0]

    for quiet, disturbed in zip(first_weights(lambda: None), first_weights(random.random), strict=True):
        np.testing.assert_array_equal(quiet, disturbed)


def test_history_is_written_as_it_is_returned(trained):
    result, folder, _ = trained
    assert json.loads((folder / "history.json").read_text()) == result.history
    assert set(result.history[0]) == {
        "epoch", "image_size", "loss", "val_loss", "val_mean_iou", "val_class_iou", "learning_rate", "seconds",
        "pictures_per_s",
    }  # fmt: skip
    assert [row["epoch"] for row in result.history] == list(range(1, len(result.history) + 1))


def test_progress_counts_steps_with_loss_mean_iou_pace_and_time_left(trained):
    steps = [one for one in trained[2] if one.what.startswith("epoch 2/")]
    assert steps[-1].done == steps[-1].total == 3  # 20 pictures in batches of 8
    numbers = steps[-1].numbers
    assert set(numbers) == {"loss", "mean_iou", "pictures_per_s", "minutes_left"}
    assert numbers["minutes_left"] == pytest.approx(6 * 3 * 8 / numbers["pictures_per_s"] / 60)  # Six epochs to go.
    assert [one for one in trained[2] if one.what == "epoch 8/8"][-1].numbers["minutes_left"] == 0


def test_tensorboard_gets_the_curves_of_the_history(trained):
    result, folder, _ = trained
    curves = read_curves(folder / "tensorboard")
    history = result.history
    assert curves["val_mean_iou"] == pytest.approx({row["epoch"]: row["val_mean_iou"] for row in history})
    assert curves["loss"] == pytest.approx({row["epoch"]: row["loss"] for row in history})
    assert curves["val_iou/bright"][1] == pytest.approx(history[0]["val_class_iou"][1])
    assert set(curves) >= {"val_loss", "learning_rate", "pictures_per_s", "seconds", "val_iou/dark"}


def read_curves(folder) -> dict[str, dict[int, float]]:
    """What TensorBoard's scalar dashboard reads of a folder: tag → step → value."""
    curves = {}
    [file] = folder.iterdir()
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        event = tf.compat.v1.Event.FromString(record)
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            curves.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    return curves


def test_the_best_epochs_weights_are_returned(trained):
    result, folder, _ = trained
    scores = [row["val_mean_iou"] for row in result.history]
    assert result.best_epoch == int(np.argmax(scores)) + 1
    best = np.load(folder / checkpoint.FILE)
    kept = [best[name] for name in json.loads(best["header"].tobytes())["best"]]
    for variable, value in zip(result.model.variables, kept, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_the_returned_model_computes_in_float32_and_scores_as_the_one_that_was_trained(trained, files):
    result = trained[0]
    assert {layer.compute_dtype for layer in result.model.layers} == {"float32"}
    held_out = data.load(files[1], transform, SIZE, cache_gb=1, name="eval")
    logits = result.model(pictures.normalize(held_out.images), training=False)
    mean_iou = metrics.mean_iou(metrics.confusion(held_out.masks, logits).numpy())
    assert mean_iou == pytest.approx(result.history[result.best_epoch - 1]["val_mean_iou"], abs=0.02)


def test_a_finished_training_is_not_repeated(trained, files):
    result, folder, _ = trained
    config = tiny_config(epochs=8, precision="mixed_bfloat16", cache_gb=0)  # Less memory is no other training.
    again = train.fit(config, *files, transform, str(folder))
    assert again.history == result.history
    for one, other in zip(again.model.variables, result.model.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_patience_ends_a_training_that_no_longer_improves(files, tmp_path):
    # The weights stand still; the statistics of batch normalization settle within some ten epochs.
    config = tiny_config(epochs=60, patience_epochs=1, learning_rate=1e-12)
    result = train.fit(config, *files, transform, str(tmp_path))
    assert len(result.history) == result.best_epoch + 1 < 60


def test_a_loss_that_is_no_number_says_what_to_change(files, tmp_path):
    with pytest.raises(RunError, match=r"the loss is .* in epoch 1/2; try train\.learning_rate = "):
        train.fit(tiny_config(learning_rate=1e30), *files, transform, str(tmp_path))
