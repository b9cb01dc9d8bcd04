import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segpipe.cli.publish import publish
from segpipe.errors import ConfigError
from tests.servers.hub import LoopbackHub


@pytest.fixture
def project(tmp_path: Path, saved_model: Path) -> Path:
    """A TOML file, and version 1764000000 in the serving folder, of which no metadata store knows."""
    run_dir = tmp_path / "run"
    shutil.copytree(saved_model, run_dir / "serving" / "1764000000")
    toml = tmp_path / "pipeline.toml"
    toml.write_text(f'name = "shapes"\noutput_dir = "{run_dir}"\n[data]\nclasses = ["ground", "disk", "square"]\n')
    return toml


def run(*arguments: str) -> list[str]:
    import typer

    app = typer.Typer()
    app.command()(publish)
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout.splitlines()


def test_writes_a_folder_by_default(project: Path):
    lines = run(str(project))
    version = project.parent / "run/hub/models/local/shapes/v1764000000"
    assert lines[-1] == version.as_uri()
    assert "Results on the test split" not in (version / "README.md").read_text()


@pytest.mark.parametrize("setting", ["hub.pictures=1", "hub.exports=['keras']"])
def test_what_only_the_run_has_is_refused_for_another_model(project: Path, setting: str):
    with pytest.raises(ConfigError, match=r"needs the .* of a run that pushed .*1764000000; leave it out"):
        run(str(project), "--set", setting)


def test_pushes_to_the_hub(project: Path, loopback: LoopbackHub):
    hub = [f"hub.endpoint={loopback.endpoint}", "hub.kind=huggingface", "hub.username=me"]
    lines = run(str(project), *(part for setting in hub for part in ("--set", setting)))
    assert lines == [f"{loopback.endpoint}/spaces/me/shapes", f"{loopback.endpoint}/me/shapes/tree/v1764000000"]
    assert "saved_model.pb" in loopback.repo("me/shapes").paths("v1764000000")


def test_a_dry_run_sends_nothing(project: Path, loopback: LoopbackHub):
    hub = [f"hub.endpoint={loopback.endpoint}", "hub.kind=huggingface", "hub.username=me"]
    lines = run(str(project), "--dry-run", *(part for setting in hub for part in ("--set", setting)))
    assert loopback.requests == []
    assert lines[0].startswith("me/shapes v1764000000 (")
    assert any(line.endswith("saved_model.pb") for line in lines)
    assert "Space me/shapes, gradio" in lines
    assert not (project.parent / "run/hub").exists()
