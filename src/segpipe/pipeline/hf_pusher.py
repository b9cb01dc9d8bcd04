"""HFPusher: a TFX component that publishes a blessed model, its card and a demo on the Hugging Face Hub.

For any TFX pipeline: `from segpipe.pipeline.hf_pusher import HFPusher`; docs/huggingface.md has an example.
"""

import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.orchestration import data_types
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import io_utils, path_utils

from segpipe import schema
from segpipe.config import Config, Hub, check_token_name, from_json, to_json
from segpipe.errors import ConfigError
from segpipe.evaluate import examples as example_files
from segpipe.pipeline.digest import code_digest
from segpipe.publish import samples
from segpipe.publish.assemble import assemble, card_facts, repo_id, space_plan
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
HUB = "https://huggingface.co"
SPACE_KEYS = ("app_path", "repo_name", "space_sdk", "placeholders", "title", "examples_path")

Text: TypeAlias = str | data_types.RuntimeParameter


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
            from segpipe.pipeline.hf_card import measured  # TFMA, which a pipeline without an Evaluator need not load.

            card = {**measured(evaluations[0].uri), **card}
        owner, name = exec_properties["username"], exec_properties["repo_name"]
        extra: tuple[File, ...] = ()
        uri = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
        with _local(uri) as folder:
            if exec_properties["export_config"]:
                extra, card["exports"] = _exports(exec_properties["export_config"], folder, input_dict.get(MODEL_RUN))
            pictures = _pictures(input_dict.get(EXAMPLES), exec_properties["pictures"])
            extra += samples.panels(folder, pictures) if pictures else ()
            plan = assemble(
                folder,
                _decided_at_s(artifact_utils.get_single_instance(blessings) if blessings else model, uri),
                f"{owner}/{name}",
                card,
                space=_space(json.loads(exec_properties["space_config"]), owner, name, samples.examples(pictures)),
                private=bool(exec_properties["private"]),
                extra=extra,
            )
            _mark(pushed, _hub(exec_properties).publish(plan))


class _Spec(component_spec.ComponentSpec):
    PARAMETERS = {  # noqa: RUF012 (TFX's own form)
        "username": component_spec.ExecutionParameter(type=str),
        "repo_name": component_spec.ExecutionParameter(type=str),
        "token": component_spec.ExecutionParameter(type=str),
        "endpoint": component_spec.ExecutionParameter(type=str),
        "directory": component_spec.ExecutionParameter(type=str),
        "private": component_spec.ExecutionParameter(type=int),
        "space_config": component_spec.ExecutionParameter(type=str),
        "card": component_spec.ExecutionParameter(type=str),
        "export_config": component_spec.ExecutionParameter(type=str),
        "pictures": component_spec.ExecutionParameter(type=int),
        "code_digest": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        MODEL: component_spec.ChannelParameter(type=standard_artifacts.Model),
        MODEL_BLESSING: component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
        EVALUATION: component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation, optional=True),
        MODEL_RUN: component_spec.ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
        EXAMPLES: component_spec.ChannelParameter(type=standard_artifacts.Examples, optional=True),
    }
    OUTPUTS = {PUSHED_MODEL: component_spec.ChannelParameter(type=standard_artifacts.PushedModel)}  # noqa: RUF012


class HFPusher(base_component.BaseComponent):
    """TFX component; output `pushed_model`.

    The PushedModel artifact gets `pushed` (0 or 1) and, where it is 1, `pushed_version`, `repo_id`, `branch`,
    `commit_id`, `repo_url` and `space_url`.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        username: Text,
        repo_name: Text,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel | None = None,
        space_config: Mapping[str, Any] | None = None,
        token: str = "env:HF_TOKEN",  # noqa: S107
        evaluation: types.BaseChannel | None = None,
        card: Mapping[str, Any] | None = None,
        private: bool = False,
        endpoint: str = HUB,
        directory: str = "",
        model_run: types.BaseChannel | None = None,
        export_config: Config | None = None,
        examples: types.BaseChannel | None = None,
        pictures: int = 0,
    ):
        """Publishes `model` as `username`/`repo_name`, on a branch named from the time of its blessing.

        Args:
          username: user or organisation on the Hub.
          repo_name: of the model's repository.
          model: a SavedModel, as the Trainer gives it.
          model_blessing: the Evaluator's; without it the model is always published.
          space_config: {} or any of app_path (folder with app.py, where the component runs), repo_name (the model's by
            default), space_sdk ("gradio" by default, or "streamlit"), placeholders (MODEL_REPO_ID, MODEL_REPO_URL,
            MODEL_VERSION or MODEL_COMMIT → the text that stands for it in the app's files), title, and examples_path
            (folder of pictures to pick from). None for no Space.
          token: where the access token is kept: env:VARIABLE, secret:projects/P/secrets/S or oidc; it is read when the
            component runs. Never the token itself.
          evaluation: the Evaluator's results, for the model card.
          card: further fields of `segpipe.publish.card.CardInput`, such as license and dataset_name.
          private: make new repositories private, and refuse public ones.
          endpoint: the Hub's address.
          directory: write the same trees under this folder instead of pushing anywhere.
          model_run: where segpipe's Trainer left the weights, for the next argument.
          export_config: of the run that trained the model; what its `hub.exports` names is pushed, too.
          examples: segpipe's Examples, for the next argument.
          pictures: how many pictures of split test to show on the card and to offer in the demo; they become as public
            as the repository is.

        Raises:
          ConfigError: an unknown key of space_config, or a token that is no name.
        """
        try:
            check_token_name(token)
        except ValueError as error:
            raise ConfigError(f"HFPusher: {error}") from None
        if unknown := sorted(set(space_config or {}) - set(SPACE_KEYS)):
            raise ConfigError(f"space_config can have {', '.join(SPACE_KEYS)}, got {', '.join(unknown)}.")
        spec = _Spec(
            username=username,
            repo_name=repo_name,
            token=token,
            endpoint=endpoint,
            directory=directory,
            private=int(private),
            space_config=json.dumps(space_config, sort_keys=True),
            card=json.dumps(card or {}, sort_keys=True),
            export_config=_export_config(export_config),
            pictures=pictures,
            code_digest=code_digest("segpipe.publish.assemble"),
            model=model,
            model_blessing=model_blessing,
            evaluation=evaluation,
            model_run=model_run,
            examples=examples,
            pushed_model=types.Channel(type=standard_artifacts.PushedModel),
        )
        super().__init__(spec=spec)


def hf_pusher(
    config: Config,
    model: types.BaseChannel,
    model_blessing: types.BaseChannel | None = None,
    evaluation: types.BaseChannel | None = None,
    model_run: types.BaseChannel | None = None,
    examples: types.BaseChannel | None = None,
) -> HFPusher | None:
    """The HFPusher that the config's section [hub] asks for, or None where it asks for none."""
    hub = config.hub
    if hub.kind == "none":
        return None
    space = space_plan(config)
    owner, name = repo_id(config).split("/")
    return HFPusher(
        username=owner,
        repo_name=name,
        model=model,
        model_blessing=model_blessing,
        space_config=None
        if space is None
        else {
            "app_path": str(space.app_path) if space.app_path else "",
            "repo_name": space.repo_id.split("/")[1],
            "space_sdk": space.sdk,
            "title": space.title,
        },
        token=hub.token,
        evaluation=evaluation,
        card=card_facts(config),
        private=hub.private,
        endpoint=hub.endpoint,
        directory=str(config.output_path / "hub") if hub.kind == "directory" else "",
        model_run=model_run if hub.exports else None,
        export_config=config if hub.exports else None,
        examples=examples if hub.pictures else None,
        pictures=hub.pictures,
    )


def _export_config(config: Config | None) -> str:
    """The part of the config that exports depend on, as JSON; empty where nothing is exported."""
    if config is None or not config.hub.exports:
        return ""
    kept = Config(name=config.name, directory=config.directory, data=config.data, model=config.model)
    return to_json(kept.model_copy(update={"hub": Hub(exports=config.hub.exports)}))


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
        copy = Path(folder) / "model"  # A folder of its own: TFX's copy_dir deletes its destination first.
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
    space_config: Mapping[str, Any] | None, owner: str, model_name: str, pictures: tuple[File, ...]
) -> SpacePlan | None:
    if space_config is None:
        return None
    given = {key: value for key, value in space_config.items() if value}
    examples = folder_files(Path(given["examples_path"])) if "examples_path" in given else pictures
    return SpacePlan(
        f"{owner}/{given.get('repo_name', model_name)}",
        sdk=given.get("space_sdk", "gradio"),
        app_path=Path(given["app_path"]) if "app_path" in given else None,
        placeholders={**PLACEHOLDERS, **given.get("placeholders", {})},
        title=given.get("title", model_name),
        examples=examples,
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
