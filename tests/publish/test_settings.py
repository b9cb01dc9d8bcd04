"""The settings of a publication: from a config, refused if wrong, and the same after TFX has carried them."""

import json
from pathlib import Path

import pytest
from tfx.types import Channel, standard_artifacts

from segpipe.config import Config
from segpipe.errors import ConfigError
from segpipe.pipeline.components import node
from segpipe.pipeline.components.hf_pusher import hf_pusher
from segpipe.publish.settings import PublishSettings, check_settings, settings_from
from tests.publish.plans import TOKEN


def config(**hub: object) -> Config:
    return Config(name="pets", data={"classes": ("a", "b")}, hub=hub)


@pytest.mark.parametrize(
    "hub",
    [
        {},
        {"space_sdk": "none", "private": True, "dataset_name": "Größe"},
        {"kind": "huggingface", "username": "me", "exports": ("litert",), "pictures": 3, "space_repo_name": "show"},
    ],
)
def test_the_component_publishes_by_the_settings_of_the_command(hub: dict):
    channels = {
        "model": Channel(type=standard_artifacts.Model),
        "model_run": Channel(type=standard_artifacts.ModelRun),
        "examples": Channel(type=standard_artifacts.Examples),
    }
    component = hf_pusher(config(**hub), **channels)
    assert component is not None
    assert node.from_execution(PublishSettings, component.exec_properties) == settings_from(config(**hub))


def test_exports_travel_with_the_part_of_the_config_that_they_depend_on():
    settings = settings_from(config(exports=("keras",)))
    other = config(exports=("keras",)).model_copy(update={"seed": 7})
    assert settings_from(other).export_config == settings.export_config
    assert settings_from(config()).export_config is None


def test_no_parameter_holds_json_inside_json():
    settings = settings_from(config(exports=("keras",)))

    def texts(value: object) -> list[str]:
        if isinstance(value, dict | list):
            return [text for part in (value.values() if isinstance(value, dict) else value) for text in texts(part)]
        return [value] if isinstance(value, str) else []

    properties = node.to_execution(settings)
    nested = [
        text for name in ("space_config", "card", "export_config") for text in texts(json.loads(properties[name]))
    ]
    assert nested
    assert not [text for text in nested if text.startswith(("{", "["))]


def test_an_app_on_this_machine_is_looked_at_and_an_address_is_not(tmp_path: Path):
    address = {"username": "me", "repo_name": "pets", "space_config": {"app_path": "gs://bucket/app"}}
    assert check_settings(**address).space_repo_id == "me/pets"
    with pytest.raises(ConfigError, match=r"a folder with app\.py"):
        check_settings(**{**address, "space_config": {"app_path": str(tmp_path)}})


def test_a_refusal_does_not_repeat_a_token():
    with pytest.raises(ConfigError, match="a token is given by name") as caught:
        check_settings(username="me", repo_name="pets", token=TOKEN)
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(caught.value.__context__)
