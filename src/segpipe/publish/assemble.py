"""A SavedModel's folder, the config and what was measured in; the plan of its next version out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.publish.card import CardInput, about, render
from segpipe.publish.files import File, folder_files
from segpipe.publish.plan import Plan, version_of
from segpipe.publish.space.plan import SpacePlan

LOCAL_OWNER = "local"
"""Stands for the user name where models are published to a folder and the config names nobody."""


def assemble(
    saved_model: Path,
    made_at_s: int,
    repo_id: str,
    card: Mapping[str, Any],
    space: SpacePlan | None = None,
    private: bool = False,
    extra: tuple[File, ...] = (),
) -> Plan:
    """Puts together one version.

    Args:
      saved_model: folder of the SavedModel.
      made_at_s: Unix time at which the model was made: it names the version, so a retry makes no other.
      repo_id: "user/name".
      card: fields of `CardInput` beyond those that the SavedModel carries.
      space: the demo, or None.
      private: make new repositories private.
      extra: files under pictures/ and exports/ that go with the version.

    Raises:
      ConfigError: a name that the Hub would refuse.
      DataError: `saved_model` holds none.
    """
    if not (saved_model / "saved_model.pb").is_file():
        raise DataError(f"{saved_model} is no SavedModel: it has no saved_model.pb.")
    version = version_of(made_at_s)
    facts: dict[str, Any] = {**about(saved_model), **card}
    facts.setdefault("pictures", [file.path for file in extra if file.path.startswith("pictures/")])
    readme = File("README.md", render(CardInput(repo_id=repo_id, version=version, **facts)))
    files = tuple(file for file in folder_files(saved_model) if file.path != "README.md")
    return Plan(repo_id, version, (*files, *extra, readme), private=private, space=space)


def repo_id(config: Config) -> str:
    """The model's repository."""
    return f"{config.hub.username or LOCAL_OWNER}/{config.hub.repo_name or config.name}"


def space_plan(config: Config) -> SpacePlan | None:
    """The demo that the config asks for."""
    hub = config.hub
    if hub.space_sdk == "none":
        return None
    owner, name = repo_id(config).split("/")
    return SpacePlan(
        f"{owner}/{hub.space_repo_name or name}",
        sdk=hub.space_sdk,
        app_path=config.resolve(hub.space_app) if hub.space_app else None,
        title=config.name,
        license=hub.license,
    )


def card_facts(config: Config) -> dict[str, Any]:
    """The fields of `CardInput` that the config knows."""
    hub = config.hub
    stated = ("dataset_name", "dataset_id", "dataset_license", "dataset_url", "license", "intended_use", "limits")
    return {
        **{name: getattr(hub, name) for name in stated},
        "dataset_name": hub.dataset_name or config.name,
        "training": {**config.train.model_dump(mode="json"), "seed": config.seed},
    }
