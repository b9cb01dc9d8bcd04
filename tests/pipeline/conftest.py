"""A tiny project, and the real command line run on it in a process of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

import segpipe
import segpipe.pipeline  # Serves a module that TFDV imports and tfx-bsl has dropped.
from segpipe.ingest import feature_schema
from tests import forked, shapes, small
from tests.servers.google_cloud import LoopbackGoogle
from tests.servers.google_fixtures import google, google_servers  # noqa: F401 (fixtures of this folder)

PIPELINE_TOML = """
name = "tiny"
output_dir = "{run_dir}"

[source]
path = "data"
on_bad_example = "quarantine"

[data]
classes = ["ground", "disk", "square"]
image_size = 32

[model]
weights = "none"
{model}

[train]
epochs = 2
batch_size = 8
deterministic = true

[gate]
min_mean_iou = 0.0
"""

UNET = """width = 0.35
decoder_filters = [16, 16, 8, 8]"""
SMALL = f'architecture = "{small.NAME}"'

CLOUD_TOML = f"""
[vertex]
project = "my-project"
pipeline_root = "gs://bucket/runs"
image = "us-central1-docker.pkg.dev/my-project/segpipe/pipeline@sha256:{"0" * 64}"

[vertex.endpoint]
health_requests = 2
grace_minutes = 0
"""

BROKEN = "broken"
"""Stem of the one picture of the project that cannot be read."""


@dataclass(frozen=True)
class Project:
    """A folder with data, schema and pipeline.toml.

    Attributes:
      folder: of the project.
      source_root: where the `segpipe` package is imported from; None for the installed one.
    """

    folder: Path
    source_root: Path | None = None

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "segpipe.cli.main", "run", str(self.folder / "pipeline.toml"), *arguments]

    def environment(self) -> dict[str, str]:
        path = {"PYTHONPATH": str(self.source_root)} if self.source_root else {}
        return {**os.environ, **path}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return forked.run(self.command(*arguments), self.environment(), self.folder)

    def start(self, *arguments: str) -> BaseProcess:
        log = self.folder / "run.log"
        return forked.start(self.command(*arguments), self.environment(), self.folder, out=log, err=log)

    def summary(self) -> dict:
        return json.loads((self.run_dir / "summary.json").read_text())

    def statuses(self) -> dict[str, str]:
        return {node: component["status"] for node, component in self.summary()["components"].items()}


def make_project(folder: Path, model: str = SMALL, source_root: Path | None = None) -> Project:
    shapes.write_folder(folder / "data", count=40)
    (folder / "data" / "images" / f"{BROKEN}.jpg").write_bytes(b"no picture")
    shutil.copy(folder / "data" / "masks" / "000.png", folder / "data" / "masks" / f"{BROKEN}.png")
    (folder / "pipeline.toml").write_text(PIPELINE_TOML.format(model=model, run_dir=folder / "run"))
    feature_schema.write(folder / "schema.pbtxt", feature_schema.build(shapes.CLASSES))
    return Project(folder, source_root)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has run, with the U-Net, on a copy of the package; tests edit both and run it again."""
    folder = tmp_path_factory.mktemp("tiny")
    source_root = folder / "src"
    shutil.copytree(Path(segpipe.__file__).parent, source_root / "segpipe")
    project = make_project(folder, UNET, source_root)
    done = project.run()
    assert done.returncode == 0, done.stderr
    shutil.copy(project.run_dir / "summary.json", folder / "first.json")
    return project


@pytest.fixture(scope="session")
def unbroken(finished: Project) -> dict:
    """The summary of that project's first run."""
    return json.loads((finished.folder / "first.json").read_text())


@pytest.fixture(scope="session")
def small_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.copy_package(tmp_path_factory.mktemp("small") / "src")


@pytest.fixture
def small_network(small_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets every process that the test starts know the small network."""
    monkeypatch.setenv("PYTHONPATH", str(small_package), prepend=os.pathsep)


@pytest.fixture
def project(small_network: None, tmp_path: Path) -> Project:
    return make_project(tmp_path)


@pytest.fixture
def cloud_project(project: Project, google: LoopbackGoogle) -> Project:  # noqa: F811 (the fixture)
    """The same with its data on gs:// and a section [vertex]."""
    google.storage.make_bucket("bucket")
    google.storage.put_folder("bucket", "data", project.folder / "data")
    text = (project.folder / "pipeline.toml").read_text().replace('path = "data"', 'path = "gs://bucket/data"')
    (project.folder / "pipeline.toml").write_text(re.sub("output_dir = .*\n", "", text) + CLOUD_TOML)
    return project
