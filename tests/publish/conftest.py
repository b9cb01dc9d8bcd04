"""What the tests of publishing share: a Hub on loopback, a token by name."""

import os
from collections.abc import Iterator
from pathlib import Path

# Before huggingface_hub is imported, which reads them once: xet would leave the loopback, and progress bars clutter it.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import pytest
from huggingface_hub import constants

from segpipe.publish.hub import HuggingFace
from segpipe.publish.retry import Retry
from tests.publish.plans import TOKEN
from tests.servers.hub import LoopbackHub


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A Hub on which `TOKEN` may write to "me" and "org"."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # where another test module imported the client first
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with LoopbackHub() as hub:
        hub.tokens[TOKEN] = {"me", "org"}
        yield hub


@pytest.fixture
def client(loopback: LoopbackHub) -> HuggingFace:
    """The publisher, pointed at the loopback Hub and in a hurry."""
    return HuggingFace(loopback.endpoint, retry=Retry(attempts=3, first_wait_s=0.01))


@pytest.fixture
def app_dir(tmp_path: Path) -> Path:
    """An app template of one's own."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text('MODEL = "$MODEL_REPO_ID@$MODEL_COMMIT ($MODEL_VERSION) $MODEL_REPO_URL"\n')
    return folder


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that finds the red disk and the blue square of `tests.shapes`."""
    from tests.publish import colour_model

    return colour_model.write(tmp_path_factory.mktemp("model") / "1764000000")
