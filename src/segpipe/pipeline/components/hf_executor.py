"""Publishes a blessed model, its card and its Space on the Hub, or in a folder: what HFPusher does when it runs."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.util import model_utils
from tfx.types import standard_artifacts
from tfx.utils import io_utils, path_utils

from segpipe.ingest.example_account import pictures_by_split
from segpipe.pipeline.components import node
from segpipe.publish.assemble import RunOutputs, destination, plan
from segpipe.publish.plan import Published
from segpipe.publish.settings import PublishSettings

MODEL = "model"
MODEL_BLESSING = "model_blessing"
EVALUATION = "evaluation"
MODEL_RUN = "model_run"
EXAMPLES = "examples"
PUSHED_MODEL = "pushed_model"


class Executor(
    node.Executor[PublishSettings],
    interface=node.Interface(
        PublishSettings,
        inputs={MODEL: standard_artifacts.Model},
        optional_inputs={
            MODEL_BLESSING: standard_artifacts.ModelBlessing,
            EVALUATION: standard_artifacts.ModelEvaluation,
            MODEL_RUN: standard_artifacts.ModelRun,
            EXAMPLES: standard_artifacts.Examples,
        },
        outputs={PUSHED_MODEL: standard_artifacts.PushedModel},
        code=__name__,
    ),
):
    """Publishes the model if it is blessed, or if nobody judges it."""

    def run(self, artifacts: node.Artifacts, parameters: PublishSettings) -> None:
        """Publishes, and writes what came of it onto the PushedModel artifact."""
        pushed = artifacts.output(PUSHED_MODEL)
        blessing = artifacts.optional_input(MODEL_BLESSING)
        if blessing and not model_utils.is_model_blessed(blessing):
            pushed.set_int_custom_property("pushed", 0)
            return
        with ExitStack() as copies:
            version = plan(parameters, _outputs(artifacts), lambda uri: copies.enter_context(_local(uri)))
            _mark(pushed, destination(parameters).publish(version))


def _outputs(artifacts: node.Artifacts) -> RunOutputs:
    model = artifacts.input(MODEL)
    examples, model_run = artifacts.optional_input(EXAMPLES), artifacts.optional_input(MODEL_RUN)
    saved_model = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
    return RunOutputs(
        saved_model=saved_model,
        made_at_s=_decided_at_s(artifacts.optional_input(MODEL_BLESSING) or model, saved_model),
        facts=_facts(examples, artifacts.optional_input(EVALUATION)),
        examples=examples.uri if examples else "",
        model_run=model_run.uri if model_run else "",
    )


def _facts(examples: types.Artifact | None, evaluation: types.Artifact | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"splits": pictures_by_split(examples.uri)} if examples else {}
    if evaluation:
        from segpipe.pipeline.components.hf_card import (
            measured,  # TFMA, which a pipeline without an Evaluator need not load.
        )

        facts |= measured(evaluation.uri)
    return facts


@contextmanager
def _local(uri: str) -> Iterator[Path]:
    """`uri` as a local folder: itself, or a copy for as long as it is needed."""
    if "://" not in uri:
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory(prefix="segpipe-hub-") as folder:
        copy = Path(folder) / "copy"  # A folder of its own: TFX's copy_dir deletes its destination first.
        io_utils.copy_dir(uri, str(copy))
        yield copy


def _decided_at_s(deciding: types.Artifact, saved_model: str) -> int:
    """Unix time in seconds of the blessing (of the model, where nobody judges it): the same at every try.

    It also names the version in the serving folder. ML Metadata knows it; Vertex hands over no such time, and the
    SavedModel's own file stands in.
    """
    milliseconds = deciding.mlmd_artifact.create_time_since_epoch
    return milliseconds // 1000 if milliseconds else _modified_at_s(f"{saved_model}/saved_model.pb")


def _modified_at_s(path: str) -> int:
    import tensorflow as tf

    return tf.io.gfile.stat(path).mtime_nsec // 1_000_000_000


def _mark(pushed: types.Artifact, published: Published) -> None:
    pushed.set_int_custom_property("pushed", 1)
    for name, value in asdict(published).items():
        if name != "is_newest":
            pushed.set_string_custom_property(name, value)
