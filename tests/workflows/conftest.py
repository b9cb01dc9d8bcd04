"""A forge with this repository's workflows and pipelines that take no time."""

import pytest

from segpipe.cicd.github import BOT
from tests.cicd.conftest import evaluation, examples, models  # noqa: F401 (fixtures of this folder)
from tests.servers.github import LoopbackGitHub
from tests.servers.google_fixtures import google, google_servers  # noqa: F401 (fixtures of this folder)
from tests.workflows.act import Forge
from tests.workflows.fake_run import FAKE_RUN

TRAIN_INPUTS = {"config", "target", "gcpProject", "gcpRegion", "pipelineName", "enableDataflow", "pullRequest"}


@pytest.fixture
def github():
    with LoopbackGitHub() as server:
        everything = {"pull-requests": "write", "checks": "write", "actions": "write", "contents": "write"}
        server.tokens["job-token"] = (BOT, everything)
        server.collaborators["alice"] = "write"
        server.workflows["train.yml"] = TRAIN_INPUTS
        yield server


@pytest.fixture
def new_forge(tmp_path, github, request):
    """An empty repository; after the test, act must have run every job that the test's mark `runs` names."""
    forge = Forge(tmp_path, github.api_url)
    yield forge
    named = {job for mark in request.node.iter_markers("runs") for job in mark.args}
    assert named <= forge.ran, f"the test says that it runs {sorted(named - forge.ran)}, which act did not run"


@pytest.fixture
def forge(new_forge):
    """The workflows, the Makefile and `segpipe.cicd` as they are; a `segpipe run` that ends with the mean IoU it reads
    from src/model.txt.
    """
    forge = new_forge
    forge.copy(
        ".github", "Makefile", ".gitignore", "src/segpipe/__init__.py", "src/segpipe/errors.py", "src/segpipe/cicd"
    )
    package = forge.root / "src/segpipe/cli"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "main.py").write_text(FAKE_RUN)
    for name in ("configs/demo.toml", "requirements.lock", "pyproject.toml", "deploy/requirements.image.lock"):
        (forge.root / name).parent.mkdir(exist_ok=True)
        (forge.root / name).write_text("")
    return forge
