"""Starts the demo of a SavedModel on this machine, from the template that a Space gets."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from segpipe.errors import ConfigError
from segpipe.publish.files import File
from segpipe.publish.space.plan import ModelRevision, SpacePlan
from segpipe.savedmodel.find import is_version


def start(model_dir: Path, app_dir: Path, sdk: str, port: int, examples: tuple[File, ...] = ()) -> subprocess.Popen:
    """Writes the app into `app_dir` and starts it on 127.0.0.1:`port`.

    Raises:
      ConfigError: the SDK is unknown or not installed.
    """
    model_dir = model_dir.absolute()
    name = _name(model_dir)
    space = SpacePlan("local/demo", sdk=sdk, title=name, examples=examples)
    if importlib.util.find_spec(sdk) is None:
        raise ConfigError(f"the {sdk} app needs `pip install segpipe[app]`.")
    card_url = (model_dir / "README.md").as_uri() if (model_dir / "README.md").is_file() else model_dir.as_uri()
    for file in space.render(ModelRevision(f"local/{name}", model_dir.name, "local", card_url)):
        path = app_dir / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.read())
    environment = {**os.environ, "SEGPIPE_MODEL_DIR": str(model_dir), "PORT": str(port)}
    environment.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    return subprocess.Popen(_command(sdk, port), cwd=app_dir, env=environment)


def _name(model_dir: Path) -> str:
    """The run's name where the folder is runs/NAME/serving/VERSION, else the folder's own."""
    names = [path.name for path in (model_dir, *model_dir.parents)]
    return next((name for name in names if name and not is_version(name) and name != "serving"), model_dir.name)


def _command(sdk: str, port: int) -> list[str]:
    if sdk == "gradio":
        return [sys.executable, "app.py"]
    options = [
        "--client.toolbarMode=viewer",
        "--server.address=127.0.0.1",
        "--server.headless=true",
        "--browser.gatherUsageStats=false",
    ]
    return [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}", *options]
