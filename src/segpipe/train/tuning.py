"""Searches for the best recipe in short trainings: KerasTuner over three choices."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner

from segpipe.config import Config
from segpipe.config.train import Tuner
from segpipe.errors import RunError, UserError
from segpipe.train import data
from segpipe.train.fit import fit

LEARNING_RATE, FROZEN_SHARE, AUGMENT = "learning_rate", "frozen_share", "augment"
SCORE = "val_mean_iou"


class RecipeTuner(keras_tuner.RandomSearch):
    """Random search (Bergstra & Bengio 2012, https://jmlr.org/papers/v13/bergstra12a.html) over the recipe.

    A trial is a training of `tuner.epochs` epochs, scored by its best mean IoU on the eval split. Trials that a killed
    search has finished are not repeated, and the one under way continues after its last whole epoch.

    Args:
      config: the run.
      directory: a folder or URL that outlives a crash.
    """

    def __init__(self, config: Config, directory: str) -> None:
        self._config, self._directory = config, directory
        super().__init__(
            objective=keras_tuner.Objective(SCORE, "max"),
            max_trials=config.tuner.trials,
            seed=config.seed,
            hyperparameters=space(config.tuner),
            tune_new_entries=False,
            directory=directory,
            project_name="search",
        )

    def run_trial(
        self,
        trial: Any,
        train_files: Sequence[str],
        eval_files: Sequence[str],
        transform: data.Transform,
    ) -> dict[str, float]:
        """Trains by the recipe of a trial; the files and the transform are those of `fit`.

        Raises:
          FailedTrialError: this recipe cannot be trained by; the search goes on.
          FatalError: none could be.
        """
        short = self._config.train.model_copy(update={"epochs": self._config.tuner.epochs})
        config = apply(self._config.model_copy(update={"train": short}), trial.hyperparameters.values)
        try:
            trained = fit(config, train_files, eval_files, transform, f"{self._directory}/trial-{trial.trial_id}")
        except RunError as error:
            raise keras_tuner.errors.FailedTrialError(str(error)) from error
        except UserError as error:  # KerasTuner would swallow it and try the next recipe.
            raise keras_tuner.errors.FatalError(str(error)) from error
        return {SCORE: max(row[SCORE] for row in trained.history)}


def space(tuner: Tuner) -> keras_tuner.HyperParameters:
    """What is searched: the learning rate, the share of the epochs with a frozen encoder, and augmentation or not."""
    hyperparameters = keras_tuner.HyperParameters()
    low, high = tuner.learning_rate
    hyperparameters.Float(LEARNING_RATE, low, high, sampling="log")
    hyperparameters.Choice(FROZEN_SHARE, list(tuner.frozen_share))
    hyperparameters.Choice(AUGMENT, list(tuner.augment))
    return hyperparameters


def apply(config: Config, values: Mapping[str, Any]) -> Config:
    """The config with the values of a trial in its recipe; both learning rates keep their ratio.

    Args:
      config: the run.
      values: by name, as `space` names them.
    """
    recipe = config.train
    factor = values[LEARNING_RATE] / recipe.learning_rate
    chosen = recipe.model_copy(
        update={
            "learning_rate": values[LEARNING_RATE],
            "encoder_learning_rate": recipe.encoder_learning_rate * factor,
            "frozen_epochs": round(values[FROZEN_SHARE] * recipe.epochs),
            "augment": bool(values[AUGMENT]),  # KerasTuner keeps 0 and 1.
        }
    )
    return config.model_copy(update={"train": chosen})
