"""Unpacks what TFX gives a hook: the files to read, and a fingerprint of the work."""

import hashlib
import json

from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.dsl.io import fileio

from segpipe.config.train import WITHOUT_EFFECT


def input_files(patterns: list[str]) -> list[str]:
    """The files that TFX's patterns stand for, in a fixed order."""
    return sorted(file for pattern in patterns for file in fileio.glob(pattern))


def fingerprint(fn_args: FnArgs) -> str:
    """Names what outlives a crash: a killed run finds its own again, another config or data set never does."""
    config = json.loads(fn_args.custom_config["config"])
    config["train"] = {key: value for key, value in config["train"].items() if key not in WITHOUT_EFFECT}
    custom_config = {**fn_args.custom_config, "config": config}
    what = [custom_config, fn_args.hyperparameters, fn_args.train_files, fn_args.transform_graph_path]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
