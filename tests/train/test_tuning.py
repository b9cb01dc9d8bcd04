import keras_tuner
import numpy as np
import pytest

from segpipe import config as config_module
from segpipe.config.model import Model
from segpipe.config.train import Tuner
from segpipe.train.tuning import RecipeTuner, apply, space
from tests.train.conftest import knowing_small_network, small_config, transform


def config_of(**tuner):
    return small_config().model_copy(update={"tuner": Tuner(enabled=True, epochs=1, **tuner)})


def search(config, files, folder) -> RecipeTuner:
    tuner = RecipeTuner(config, str(folder))
    with knowing_small_network():
        tuner.search(train_files=files[0], eval_files=files[1], transform=transform)
    return tuner


def test_the_best_trial_of_a_search_is_kept_and_no_trial_is_repeated(files, tmp_path):
    # Too slow a rate to learn anything, and a sensible one.
    config = config_of(trials=2, learning_rate=(1e-9, 5e-3), augment=[False])
    tuner = search(config, files, tmp_path)
    scores = {trial.trial_id: trial.score for trial in tuner.oracle.trials.values()}
    best = tuner.oracle.get_best_trials(1)[0]
    assert len(scores) == 2
    assert best.score == max(scores.values())
    assert tuner.get_best_hyperparameters()[0].values == best.hyperparameters.values

    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("checkpoint.npz")}
    again = search(config, files, tmp_path)
    assert {trial.trial_id: trial.score for trial in again.oracle.trials.values()} == scores
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("checkpoint.npz")} == written


def test_what_no_recipe_can_mend_ends_the_search(tmp_path, files):
    config = config_of(trials=2)
    nowhere = config.model_copy(update={"model": Model(weights="gone.h5")})
    with pytest.raises(keras_tuner.errors.FatalError, match=r"model\.weights: no such file"):
        search(nowhere, files, tmp_path)


def test_a_recipe_takes_the_values_of_a_trial():
    config = config_module.Config(name="a", data={"classes": ("x", "y")}, train={"epochs": 20})
    chosen = apply(config, {"learning_rate": 1e-3, "frozen_share": 0.25, "augment": 0}).train
    assert (chosen.learning_rate, chosen.frozen_epochs) == (1e-3, 5)
    assert chosen.augment is False
    ratio = config.train.encoder_learning_rate / config.train.learning_rate
    assert chosen.encoder_learning_rate / chosen.learning_rate == pytest.approx(ratio)


def test_only_the_named_values_are_tried():
    tuner = Tuner(learning_rate=(1e-4, 1e-2), frozen_share=[0.5, 1.0], augment=[True])
    drawn = space(tuner)
    rates = [drawn.get_config()["space"][0]["config"][bound] for bound in ("min_value", "max_value")]
    np.testing.assert_allclose(rates, (1e-4, 1e-2))
    assert set(drawn.values) == {"learning_rate", "frozen_share", "augment"}
    assert drawn.values["frozen_share"] == 0.5
    assert drawn.values["augment"] == 1


def test_a_range_of_learning_rates_rises():
    with pytest.raises(ValueError, match=r"tuner\.learning_rate is \[lowest, highest\], got \[0.1, 0.01\]"):
        Tuner(learning_rate=(0.1, 0.01))
