"""The name under which the Trainer leaves its weights, in its output model_run, for exports to other formats."""

from typing import Final

WEIGHTS_FILE: Final = "model.weights.h5"
