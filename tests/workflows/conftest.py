"""A forge with this repository's workflows and pipelines that take no time."""

import pytest

from segpipe.cicd.github import BOT
from tests.servers.github import LoopbackGitHub
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
def forge(tmp_path, github):
    """The workflows, the Makefile and `segpipe.cicd` as they are; a `segpipe run` that ends with the mean IoU it reads
    from src/model.txt.
    """
    forge = Forge(tmp_path, github.api_url)
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
