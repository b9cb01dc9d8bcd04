"""Every config of this repository, compiled for every target."""

import json
from pathlib import Path

import pytest
import yaml

from segpipe.cicd.compiled import FILES, compile_all
from segpipe.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    out = tmp_path_factory.mktemp("compiled")
    compile_all([CONFIGS / "demo.toml", CONFIGS / "vertex.toml"], out)
    return out


def test_each_config_has_a_file_for_each_target(compiled):
    assert {path.name for path in compiled.iterdir()} == {f"{c}.{name}" for c in ("demo", "vertex") for name in FILES}


def test_a_config_without_a_cloud_gets_nobodys(compiled):
    assert "some-project" in (compiled / "demo.vertex.json").read_text()
    assert "some-project" not in (compiled / "vertex.vertex.json").read_text()


def test_dataflow_is_in_the_one_file_only(compiled):
    assert "DataflowRunner" not in (compiled / "vertex.vertex.json").read_text()
    assert "DataflowRunner" in (compiled / "vertex.vertex-dataflow.json").read_text()


def test_the_files_are_what_their_names_say(compiled):
    assert json.loads((compiled / "demo.vertex.json").read_text())["pipelineSpec"]["root"]["dag"]["tasks"]
    assert next(iter(yaml.safe_load_all((compiled / "demo.kubeflow.yaml").read_text())))["root"]["dag"]["tasks"]


def test_a_wrong_config_is_a_user_error(tmp_path):
    (tmp_path / "wrong.toml").write_text("[dta]\n")
    with pytest.raises(ConfigError, match="dta"):
        compile_all([tmp_path / "wrong.toml"], tmp_path)
