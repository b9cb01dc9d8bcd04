"""HFPusher: a TFX component that publishes a blessed model, its card and a demo on the Hugging Face Hub.

For any TFX pipeline: `from segpipe.pipeline.components.hf_pusher import HFPusher`; docs/hfpusher.md has an example.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration import data_types
from tfx.types import component_spec, standard_artifacts

from segpipe.config import Config, to_json
from segpipe.config.hub import Hub, check_token_name
from segpipe.errors import ConfigError
from segpipe.pipeline.components.hf_executor import (
    EVALUATION,
    EXAMPLES,
    MODEL,
    MODEL_BLESSING,
    MODEL_RUN,
    PUSHED_MODEL,
    Executor,
)
from segpipe.pipeline.digest import code_digest
from segpipe.publish.assemble import card_facts, repo_id, space_plan
from segpipe.publish.card import TEMPLATE as CARD_TEMPLATE
from segpipe.publish.files import folder_files, tree_digest
from segpipe.publish.space.plan import TEMPLATES

HUB = "https://huggingface.co"
SPACE_KEYS = ("app_path", "repo_name", "space_sdk", "placeholders", "title", "examples_path")

Text: TypeAlias = str | data_types.RuntimeParameter


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
          space_config: {} or any of app_path (folder with app.py where the component runs, or its address, such as
            gs://bucket/app; apps.mine stands for apps/mine, as it did in the published component), repo_name (the
            model's by default), space_sdk ("gradio" by default, or "streamlit"), placeholders (MODEL_REPO_ID,
            MODEL_REPO_URL, MODEL_VERSION or MODEL_COMMIT → the text that stands for it in the app's files), title, and
            examples_path (folder of pictures to pick from). None for no Space.
          token: where the access token is kept: env:VARIABLE, secret:projects/P/secrets/S or oidc; it is read when the
            component runs. Never the token itself.
          evaluation: the Evaluator's results, for the model card.
          card: further fields of `segpipe.publish.card.CardInput`, such as license and dataset_name.
          private: make new repositories private, and refuse public ones.
          endpoint: the Hub's address.
          directory: write the same trees under this folder instead of pushing anywhere.
          model_run: where segpipe's Trainer left the weights, for the next argument.
          export_config: of the run that trained the model; what its `hub.exports` names is pushed, too.
          examples: segpipe's Examples, for the card's pictures per split and for the next argument.
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
        if space_config and "app_path" in space_config:
            space_config = {**space_config, "app_path": _with_slashes(str(space_config["app_path"]))}
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
            code_digest=_code_digest(space_config or {}),
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
    owner, name = repo_id(config).split("/")
    if "://" not in hub.space_app:
        space_plan(config)  # Refuses a folder without an app now and not after the training.
    space_config = {
        "app_path": config.locate(hub.space_app) if hub.space_app else "",
        "repo_name": hub.space_repo_name or name,
        "space_sdk": hub.space_sdk,
        "title": config.name,
    }
    return HFPusher(
        username=owner,
        repo_name=name,
        model=model,
        model_blessing=model_blessing,
        space_config=None if hub.space_sdk == "none" else space_config,
        token=hub.token,
        evaluation=evaluation,
        card=card_facts(config),
        private=hub.private,
        endpoint=hub.endpoint,
        directory=str(config.output_path / "hub") if hub.kind == "directory" else "",
        model_run=model_run if hub.exports else None,
        export_config=config if hub.exports else None,
        examples=examples,
        pictures=hub.pictures,
    )


def _with_slashes(app_path: str) -> str:
    """The published component took a folder in the form of a module's name, too."""
    return app_path if "/" in app_path or Path(app_path).is_dir() else app_path.replace(".", "/")


def _code_digest(space_config: Mapping[str, Any]) -> str:
    """Of the code and the templates, so that TFX's cache sees an edit of either and the next run publishes again."""
    folders = [CARD_TEMPLATE.parent, TEMPLATES]
    if Path(space_config.get("app_path") or CARD_TEMPLATE).is_dir():
        folders.append(Path(space_config["app_path"]))
    files = [file for number, folder in enumerate(folders) for file in folder_files(folder, f"{number}/")]
    return f"{code_digest('segpipe.pipeline.components.hf_executor')}-{tree_digest(files)}"


def _export_config(config: Config | None) -> str:
    """The part of the config that exports depend on, as JSON; empty where nothing is exported."""
    if config is None or not config.hub.exports:
        return ""
    kept = Config(name=config.name, directory=config.directory, data=config.data, model=config.model)
    return to_json(kept.model_copy(update={"hub": Hub(exports=config.hub.exports)}))
