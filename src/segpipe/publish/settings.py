"""What a person may choose about a publication, as one frozen value: wrong choices fail before anything runs."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from segpipe.config import Config
from segpipe.config.hub import Hub, check_token_name
from segpipe.errors import ConfigError
from segpipe.publish.card import CardInput
from segpipe.publish.plan import check_repo_id
from segpipe.publish.space.plan import check_app, check_placeholders, check_sdk

LOCAL_OWNER = "local"
"""Stands for the user name if models are published to a folder and the config names nobody."""

CARD_FIELDS: Final = tuple(field.name for field in fields(CardInput) if field.name not in ("repo_id", "version"))


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SpaceSettings(_Settings):
    """The demo that goes with a model.

    Attributes:
      app_path: folder with app.py, or its address, such as gs://bucket/app; the shipped app if empty. apps.mine stands
        for apps/mine, as it did in the published component.
      repo_name: of the Space; the model's if empty.
      space_sdk: gradio or streamlit.
      placeholders: MODEL_REPO_ID, MODEL_REPO_URL, MODEL_VERSION or MODEL_COMMIT → the text that stands for it in the
        app's files.
      title: above the Space; the model's name if empty.
      examples_path: folder of pictures to pick from, or its address; the card's pictures if empty.
    """

    app_path: str = ""
    repo_name: str = ""
    space_sdk: str = "gradio"
    placeholders: Mapping[str, str] = Field(default_factory=dict)
    title: str = ""
    examples_path: str = ""

    @model_validator(mode="before")
    @classmethod
    def _knows_its_keys(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        if unknown := sorted(set(values) - set(cls.model_fields)):
            raise ConfigError(f"space_config can have {', '.join(cls.model_fields)}, got {', '.join(unknown)}.")
        return {key: value for key, value in values.items() if value}  # None and "" stand for the default, too.

    @field_validator("app_path")
    @classmethod
    def _is_an_app(cls, app_path: str) -> str:
        if not app_path or "://" in app_path:
            return app_path
        folder = app_path if "/" in app_path or Path(app_path).is_dir() else app_path.replace(".", "/")
        check_app(Path(folder))
        return folder

    @field_validator("space_sdk")
    @classmethod
    def _is_an_sdk(cls, sdk: str) -> str:
        check_sdk(sdk)
        return sdk

    @field_validator("placeholders")
    @classmethod
    def _are_placeholders(cls, placeholders: Mapping[str, str]) -> Mapping[str, str]:
        check_placeholders(placeholders)
        return placeholders


class PublishSettings(_Settings):
    """Where a model goes and what goes with it.

    Attributes:
      username: user or organisation on the Hub.
      repo_name: of the model's repository.
      token: where the access token is kept, never the token itself.
      endpoint: the Hub's address.
      directory: folder to write the same trees to, instead of pushing; empty to push.
      private: make new repositories private, and refuse public ones.
      space_config: the demo, or None.
      card: fields of `CardInput` that no run knows, such as license and dataset_name.
      export_config: of the run that trained the model; what its `hub.exports` names is published, too.
      pictures: how many pictures of split test to show on the card and to offer in the demo.
    """

    username: str
    repo_name: str
    token: Annotated[str, AfterValidator(check_token_name)] = "env:HF_TOKEN"  # noqa: S105
    endpoint: str = "https://huggingface.co"
    directory: str = ""
    private: bool = False
    space_config: SpaceSettings | None = None
    card: Mapping[str, Any] = Field(default_factory=dict)
    export_config: Config | None = None
    pictures: Annotated[int, Field(ge=0)] = 0

    @field_validator("card")
    @classmethod
    def _are_fields_of_a_card(cls, card: Mapping[str, Any]) -> Mapping[str, Any]:
        if unknown := sorted(set(card) - set(CARD_FIELDS)):
            raise ConfigError(f"card can have {', '.join(CARD_FIELDS)}, got {', '.join(unknown)}.")
        return card

    @field_validator("export_config")
    @classmethod
    def _only_what_exports_depend_on(cls, config: Config | None) -> Config | None:
        if config is None or not config.hub.exports:
            return None
        part = Config(name=config.name, directory=config.directory, data=config.data, model=config.model)
        return part.model_copy(update={"hub": Hub(exports=config.hub.exports)})

    @model_validator(mode="after")
    def _are_names_that_the_hub_takes(self) -> Self:
        check_repo_id(self.repo_id)
        if self.space_config is not None:
            check_repo_id(self.space_repo_id)
        return self

    @property
    def repo_id(self) -> str:
        """The model's repository."""
        return f"{self.username}/{self.repo_name}"

    @property
    def space_repo_id(self) -> str:
        """The Space's repository."""
        name = self.space_config.repo_name if self.space_config else ""
        return f"{self.username}/{name or self.repo_name}"


def check_settings(**values: Any) -> PublishSettings:
    """Makes the settings.

    Raises:
      ConfigError: an unknown key, a name that the Hub would refuse, a folder without an app, a token that is no name.
    """
    try:
        return PublishSettings(**values)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"{key}: {problem['msg'].removeprefix('Value error, ')}") from None


def settings_from(config: Config) -> PublishSettings:
    """Returns the publication that the config's section [hub] asks for.

    Raises:
      ConfigError: as `check_settings`.
    """
    hub = config.hub
    repo_name = hub.repo_name or config.name
    space = {
        "app_path": config.locate(hub.space_app) if hub.space_app else "",
        "repo_name": hub.space_repo_name or repo_name,
        "space_sdk": hub.space_sdk,
        "title": config.name,
    }
    return check_settings(
        username=hub.username or LOCAL_OWNER,
        repo_name=repo_name,
        token=hub.token,
        endpoint=hub.endpoint,
        directory=str(config.output_path / "hub") if hub.kind == "directory" else "",
        private=hub.private,
        space_config=None if hub.space_sdk == "none" else space,
        card=_card_facts(config),
        export_config=config,
        pictures=hub.pictures,
    )


def _card_facts(config: Config) -> dict[str, Any]:
    """The fields of `CardInput` that the config knows."""
    hub = config.hub
    stated = ("dataset_name", "dataset_id", "dataset_license", "dataset_url", "license", "intended_use", "limits")
    return {
        **{name: getattr(hub, name) for name in stated},
        "dataset_name": hub.dataset_name or config.name,
        "training": {**config.train.model_dump(mode="json"), "seed": config.seed},
    }
