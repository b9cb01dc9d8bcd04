"""What HFPusher does when it runs: a blessed model in; its version, card and Space on the Hub, or in a folder, out."""

import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from segpipe import schema
from segpipe.config import from_json
from segpipe.errors import ConfigError
from segpipe.ingest import example_files
from segpipe.pipeline.components.example_gen import pictures_by_split
from segpipe.publish import samples
from segpipe.publish.assemble import assemble
from segpipe.publish.directory import Directory
from segpipe.publish.files import File, folder_files
from segpipe.publish.hub import HuggingFace
from segpipe.publish.plan import Published
from segpipe.publish.space.plan import PLACEHOLDERS, SpacePlan
from segpipe.publish.weights import WEIGHTS_FILE

MODEL = "model"
MODEL_BLESSING = "model_blessing"
EVALUATION = "evaluation"
MODEL_RUN = "model_run"
EXAMPLES = "examples"
PUSHED_MODEL = "pushed_model"


class Executor(base_executor.BaseExecutor):
    """Publishes the model if it is blessed, or if nobody judges it."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Publishes, and writes what came of it onto the PushedModel artifact."""
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[PUSHED_MODEL])
        blessings = input_dict.get(MODEL_BLESSING)
        if blessings and not model_utils.is_model_blessed(artifact_utils.get_single_instance(blessings)):
            pushed.set_int_custom_property("pushed", 0)
            return
        model = artifact_utils.get_single_instance(input_dict[MODEL])
        evaluations = input_dict.get(EVALUATION) or []
        card = json.loads(exec_properties["card"])
        if evaluations:
            from segpipe.pipeline.components.hf_card import (
                measured,  # TFMA, which a pipeline without an Evaluator need not load.
            )

            card = {**measured(evaluations[0].uri), **card}
        if examples := input_dict.get(EXAMPLES):
            card = {"splits": pictures_by_split(examples[0].uri), **card}
        owner, name = exec_properties["username"], exec_properties["repo_name"]
        extra: tuple[File, ...] = ()
        uri = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
        with ExitStack() as copies:
            folder = copies.enter_context(_local(uri))
            if exec_properties["export_config"]:
                extra, card["exports"] = _exports(exec_properties["export_config"], folder, input_dict.get(MODEL_RUN))
            pictures = _pictures(examples, exec_properties["pictures"])
            extra += samples.panels(folder, pictures) if pictures else ()
            plan = assemble(
                folder,
                _decided_at_s(artifact_utils.get_single_instance(blessings) if blessings else model, uri),
                f"{owner}/{name}",
                card,
                space=_space(json.loads(exec_properties["space_config"]), f"{owner}/{name}", card, pictures, copies),
                private=bool(exec_properties["private"]),
                extra=extra,
            )
            _mark(pushed, _hub(exec_properties).publish(plan))


def _exports(
    config: str, saved_model: Path, model_runs: Sequence[types.Artifact] | None
) -> tuple[tuple[File, ...], dict[str, str]]:
    if not model_runs:
        raise ConfigError("hub.exports needs the Trainer's output model_run; give it to HFPusher.")
    from segpipe.publish import exports  # TensorFlow, which a push without exports need not load.

    with _local(model_runs[0].uri) as folder:
        return exports.export(from_json(config), saved_model, folder / WEIGHTS_FILE)


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


def _pictures(test_examples: Sequence[types.Artifact] | None, count: int) -> list[samples.Picture]:
    if not count:
        return []
    if not test_examples:
        raise ConfigError("hub.pictures needs the ExampleGen's output examples; give it to HFPusher.")
    shards = example_files.shards(artifact_utils.get_split_uris(list(test_examples), schema.TEST))
    return samples.first(itertools.chain.from_iterable(map(example_files.read, shards)), count)


def _space(
    space_config: Mapping[str, Any] | None,
    repo_id: str,
    card: Mapping[str, Any],
    pictures: Sequence[samples.Picture],
    copies: ExitStack,
) -> SpacePlan | None:
    """The Space; what of it is not on this machine is copied for as long as `copies` is open."""
    if space_config is None:
        return None
    owner, name = repo_id.split("/")
    given = {key: value for key, value in space_config.items() if value}
    folders = {key: copies.enter_context(_local(given[key])) for key in ("app_path", "examples_path") if key in given}
    return SpacePlan(
        f"{owner}/{given.get('repo_name', name)}",
        sdk=given.get("space_sdk", "gradio"),
        app_path=folders.get("app_path"),
        placeholders={**PLACEHOLDERS, **given.get("placeholders", {})},
        title=given.get("title", name),
        license=card.get("license", SpacePlan.license),
        examples=folder_files(folders["examples_path"]) if "examples_path" in folders else samples.examples(pictures),
    )


def _hub(exec_properties: Mapping[str, Any]) -> Directory | HuggingFace:
    if exec_properties["directory"]:
        return Directory(Path(exec_properties["directory"]))
    return HuggingFace(exec_properties["endpoint"], exec_properties["token"])


def _mark(pushed: types.Artifact, published: Published) -> None:
    pushed.set_int_custom_property("pushed", 1)
    for name, value in asdict(published).items():
        if name != "is_newest":
            pushed.set_string_custom_property(name, value)
