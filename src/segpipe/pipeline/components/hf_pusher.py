"""HFPusher: a TFX component that publishes a blessed model, its card and a demo on the Hugging Face Hub.

For any TFX pipeline: `from segpipe.pipeline.components.hf_pusher import HFPusher`; docs/hfpusher.md has an example.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tfx import types
from tfx.orchestration import data_types

from segpipe.config import Config
from segpipe.errors import ConfigError
from segpipe.pipeline.components import node
from segpipe.pipeline.components.hf_executor import EVALUATION, EXAMPLES, MODEL, MODEL_BLESSING, MODEL_RUN, Executor
from segpipe.pipeline.digest import code_digest
from segpipe.publish.card import TEMPLATE as CARD_TEMPLATE
from segpipe.publish.files import folder_files, tree_digest
from segpipe.publish.settings import PublishSettings, SpaceSettings, check_settings, settings_from
from segpipe.publish.space.plan import TEMPLATES

HUB = "https://huggingface.co"

Text: TypeAlias = str | data_types.RuntimeParameter


class HFPusher(node.Node, executor=Executor):
    """TFX component; output `pushed_model`.

    The PushedModel artifact gets `pushed` (0 or 1) and, where it is 1, `pushed_version`, `repo_id`, `branch`,
    `commit_id`, `repo_url` and `space_url`.
    """

    def __init__(
        self,
        username: Text,
        repo_name: Text,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel | None = None,
        space_config: Mapping[str, Any] | SpaceSettings | None = None,
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
          space_config: {} or any of app_path (folder with app.py on this machine, or its address, such as
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
          ConfigError: an unknown key of space_config or card, another SDK, a folder without an app, a name that the Hub
            would refuse, a token that is no name, or exports or pictures without the input that they come from.
        """
        names = {"username": username, "repo_name": repo_name}
        later = {key: name for key, name in names.items() if isinstance(name, data_types.RuntimeParameter)}
        try:
            settings = check_settings(
                **{key: "later" if key in later else name for key, name in names.items()},
                token=token,
                endpoint=endpoint,
                directory=directory,
                private=private,
                space_config=space_config,
                card=card or {},
                export_config=export_config,
                pictures=pictures,
            )
        except ConfigError as error:
            raise ConfigError(f"HFPusher: {error}") from None
        channels = {
            MODEL: model,
            MODEL_BLESSING: model_blessing,
            EVALUATION: evaluation,
            MODEL_RUN: model_run,
            EXAMPLES: examples,
        }
        if settings.export_config is not None and model_run is None:
            raise ConfigError("HFPusher: hub.exports needs the Trainer's output model_run; give it to HFPusher.")
        if settings.pictures and examples is None:
            raise ConfigError("HFPusher: hub.pictures needs the ExampleGen's output examples; give it to HFPusher.")
        super().__init__(settings, later, digest=_code_digest(settings), **channels)


def hf_pusher(
    config: Config,
    model: types.BaseChannel,
    model_blessing: types.BaseChannel | None = None,
    evaluation: types.BaseChannel | None = None,
    model_run: types.BaseChannel | None = None,
    examples: types.BaseChannel | None = None,
) -> HFPusher | None:
    """The HFPusher that the config's section [hub] asks for, or None where it asks for none."""
    if config.hub.kind == "none":
        return None
    settings = settings_from(config)
    return HFPusher(
        **dict(settings),
        model=model,
        model_blessing=model_blessing,
        evaluation=evaluation,
        model_run=model_run if settings.export_config else None,
        examples=examples,
    )


def _code_digest(settings: PublishSettings) -> str:
    """Of the code and the templates, so that TFX's cache sees an edit of either and the next run publishes again."""
    folders = [CARD_TEMPLATE.parent, TEMPLATES]
    app = settings.space_config.app_path if settings.space_config else ""
    if app and Path(app).is_dir():
        folders.append(Path(app))
    files = [file for number, folder in enumerate(folders) for file in folder_files(folder, f"{number}/")]
    return f"{code_digest(Executor.interface.code)}-{tree_digest(files)}"
