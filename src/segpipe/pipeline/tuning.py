"""The Tuner's hook: searches for the recipe that the Trainer takes."""

from typing import Any

import tensorflow_transform as tft
from keras_tuner import HyperParameters
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from segpipe.config import Config, from_json
from segpipe.pipeline.hook_inputs import fingerprint, input_files
from segpipe.train.tuning import RecipeTuner, apply


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Sets the search up; TFX calls it and runs what it returns."""
    config = from_json(fn_args.custom_config["config"])
    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    return TunerFnResult(
        tuner=RecipeTuner(config, f"{fn_args.custom_config['work_dir']}/tuner-{fingerprint(fn_args)}"),
        fit_kwargs={
            "train_files": input_files(fn_args.train_files),
            "eval_files": input_files(fn_args.eval_files),
            "transform": transform_output.transform_features_layer(),
        },
    )


def tuned(config: Config, hyperparameters: dict[str, Any] | None) -> Config:
    """The config with the Tuner's best recipe, as TFX hands it to the Trainer; unchanged where there was no Tuner."""
    return apply(config, HyperParameters.from_config(hyperparameters).values) if hyperparameters else config
