"""The Trainer's hook: trains on Examples and exports a SavedModel with its signatures and history."""

import json

import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.dsl.io import fileio

from segpipe.config import from_json
from segpipe.metrics.picture_counts import evaluation_outputs
from segpipe.pipeline.hook_inputs import fingerprint, input_files
from segpipe.pipeline.tuning import tuned
from segpipe.publish.weights import WEIGHTS_FILE
from segpipe.savedmodel.export import export
from segpipe.train import distribution
from segpipe.train.fit import fit


def run_fn(fn_args: FnArgs) -> None:
    """Trains on split train, selects the epoch on split eval, and saves the model; TFX calls it, here or on Vertex.

    With several workers TFX calls it on each, and the chief alone saves.
    """
    distribution.strategy()  # Before TensorFlow runs anything: workers have to find each other first.
    config = tuned(from_json(fn_args.custom_config["config"]), fn_args.hyperparameters)
    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    transform = transform_output.transform_features_layer()
    work_dir = f"{fn_args.custom_config['work_dir']}/{fingerprint(fn_args)}"

    trained = fit(
        config,
        train_files=input_files(fn_args.train_files),
        eval_files=input_files(fn_args.eval_files),
        transform=transform,
        work_dir=work_dir,
    )
    if not distribution.cluster().is_chief:
        return
    export(
        trained.model,
        transform,
        config,
        fn_args.serving_model_dir,
        evaluation=evaluation_outputs,
        encoder=trained.encoder,
    )
    fileio.makedirs(fn_args.model_run_dir)
    with fileio.open(f"{fn_args.model_run_dir}/history.json", "w") as file:
        file.write(json.dumps(trained.history, indent=1))
    trained.model.save_weights(f"{fn_args.model_run_dir}/{WEIGHTS_FILE}")
