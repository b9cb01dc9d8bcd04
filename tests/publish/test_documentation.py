"""The snippets that people copy, run as they are against a Hub on loopback."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segpipe.publish.assemble import assemble
from segpipe.publish.hub import HuggingFace
from tests import shapes
from tests.servers.hub import LoopbackHub

PAGE = Path(__file__).parents[2] / "docs" / "huggingface.md"
SHOW = "\nimport numpy as np\nnp.save('mask.npy', mask.numpy())\n"


def snippets(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("source", ["docs", "card"])
def test_three_lines_download_a_version_and_predict(source, loopback: LoopbackHub, client, saved_model, tmp_path):
    client.publish(assemble(saved_model, 1764000000, "me/shapes", {}))
    card = loopback.store.content(loopback.repo("me/shapes").find("main").tree["README.md"]).decode()
    [snippet, *_] = snippets(PAGE.read_text() if source == "docs" else card)
    assert len([line for line in snippet.splitlines() if line]) == 3
    image, truth = shapes.draw(np.random.default_rng(3), 64, 64)
    image.save(tmp_path / "picture.jpg", quality=95)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "HF_TOKEN"},
        "HF_ENDPOINT": loopback.endpoint,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
    }
    subprocess.run([sys.executable, "-c", snippet + SHOW], cwd=tmp_path, env=environment, check=True)
    assert (np.load(tmp_path / "mask.npy") == np.asarray(truth)).mean() > 0.95


def test_the_component_is_called_as_documented():
    from tfx.types import Channel, standard_artifacts

    class Node:
        outputs = {  # noqa: RUF012
            "model": Channel(type=standard_artifacts.Model),
            "blessing": Channel(type=standard_artifacts.ModelBlessing),
            "evaluation": Channel(type=standard_artifacts.ModelEvaluation),
        }

    [component] = [snippet for snippet in snippets(PAGE.read_text()) if "HFPusher" in snippet]
    names = {"trainer": Node, "evaluator": Node}
    exec(component, names)  # noqa: S102
    assert set(names["pusher"].outputs) == {"pushed_model"}


def test_every_documented_setting_exists():
    import tomllib

    from segpipe.config import Hub

    [toml] = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    Hub.model_validate(tomllib.loads(toml)["hub"])
    assert HuggingFace().endpoint == Hub().endpoint
