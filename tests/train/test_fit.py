import json

import numpy as np
import pytest

from segpipe import progress, train
from segpipe.errors import RunError
from segpipe.train import checkpoint
from tests.train.conftest import tiny_config, transform


@pytest.fixture(scope="module")
def trained(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    heard = []
    with progress.listening(heard.append):
        result = train.fit(tiny_config(epochs=8, deterministic=False), *files, transform, str(folder))
    return result, folder, heard


def test_the_loss_falls_and_the_rectangle_is_found(trained):
    history = trained[0].history
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert max(row["val_mean_iou"] for row in history) > 0.6


def test_history_is_written_as_it_is_returned(trained):
    result, folder, _ = trained
    assert json.loads((folder / "history.json").read_text()) == result.history
    assert set(result.history[0]) == {
        "epoch", "loss", "val_loss", "val_mean_iou", "val_class_iou", "learning_rate", "seconds", "pictures_per_s",
    }  # fmt: skip
    assert [row["epoch"] for row in result.history] == list(range(1, len(result.history) + 1))


def test_progress_counts_steps_with_loss_and_mean_iou(trained):
    steps = [one for one in trained[2] if one.what == "epoch 2/8"]
    assert steps[-1].done == steps[-1].total == 3  # 20 pictures in batches of 8
    assert set(steps[-1].numbers) == {"loss", "mean_iou"}


def test_the_best_epochs_weights_are_returned(trained):
    result, folder, _ = trained
    scores = [row["val_mean_iou"] for row in result.history]
    assert result.best_epoch == int(np.argmax(scores)) + 1
    best = np.load(folder / checkpoint.FILE)
    count = json.loads(best["header"].tobytes())["counts"]
    kept = [best[f"{index:05d}"] for index in range(count[0], sum(count))]
    for variable, value in zip(result.model.variables, kept, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_a_finished_training_is_not_repeated(trained, files):
    result, folder, _ = trained
    again = train.fit(tiny_config(epochs=8, deterministic=False), *files, transform, str(folder))
    assert again.history == result.history
    for one, other in zip(again.model.variables, result.model.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_patience_ends_a_training_that_no_longer_improves(files, tmp_path):
    config = tiny_config(epochs=9, patience_epochs=1, learning_rate=1e-12)
    result = train.fit(config, *files, transform, str(tmp_path))
    assert len(result.history) == result.best_epoch + 1 < 9


def test_a_loss_that_is_no_number_says_what_to_change(files, tmp_path):
    with pytest.raises(RunError, match=r"the loss is .* in epoch 1/2; try train\.learning_rate = "):
        train.fit(tiny_config(learning_rate=1e30), *files, transform, str(tmp_path))
