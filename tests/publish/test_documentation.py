"""The snippets that people copy, run as they are against a Hub on loopback."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from segpipe.publish.assemble import assemble
from segpipe.publish.hub import HuggingFace
from tests import shapes
from tests.servers.hub import LoopbackHub

PAGE = Path(__file__).parents[2] / "docs" / "huggingface.md"
COMPONENT_PAGE = PAGE.with_name("hfpusher.md")
SHOW = "import numpy as np\nnp.save('masks.npy', [from_page, mask.numpy()])\n"


def snippets(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_three_lines_download_a_version_and_predict(loopback: LoopbackHub, client, saved_model: Path, tmp_path: Path):
    client.publish(assemble(saved_model, 1764000000, "me/shapes", {}))
    card = loopback.store.content(loopback.repo("me/shapes").find("main").tree["README.md"]).decode()
    image, truth = shapes.draw(np.random.default_rng(3), 64, 64)
    image.save(tmp_path / "picture.jpg", quality=95)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "HF_TOKEN"},
        "HF_ENDPOINT": loopback.endpoint,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
    }
    of_page, of_card = snippets(PAGE.read_text())[0], snippets(card)[0]
    assert all(len([line for line in snippet.splitlines() if line]) == 3 for snippet in (of_page, of_card))
    script = f"{of_page}\nfrom_page = mask.numpy()\n{of_card}\n{SHOW}"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    for found in np.load(tmp_path / "masks.npy"):
        assert (found == np.asarray(truth)).mean() > 0.95


def test_the_whole_pipeline_publishes(loopback: LoopbackHub, saved_model: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "Format-Serving").symlink_to(saved_model)
    pipeline = snippets(COMPONENT_PAGE.read_text())[0]
    here = pipeline.replace('token="env:HF_TOKEN"', f'token="env:HF_TOKEN", endpoint="{loopback.endpoint}"')
    exec(here, {})  # noqa: S102
    repo = loopback.repo("me/shapes")
    [version] = set(repo.branches) - {"main"}
    assert repo.paths("main") == repo.paths(version) >= {"saved_model.pb", "README.md"}
    assert loopback.repo("me/shapes", "space").sdk == "gradio"


def test_the_component_is_called_as_documented():
    from tfx.types import Channel, standard_artifacts

    from segpipe.pipeline.components.hf_pusher import HFPusher

    class Node:
        outputs = {  # noqa: RUF012
            "model": Channel(type=standard_artifacts.Model),
            "blessing": Channel(type=standard_artifacts.ModelBlessing),
            "evaluation": Channel(type=standard_artifacts.ModelEvaluation),
        }

    component = snippets(COMPONENT_PAGE.read_text())[1]
    names = {"trainer": Node, "evaluator": Node, "HFPusher": HFPusher}
    exec(component, names)  # noqa: S102
    assert set(names["pusher"].outputs) == {"pushed_model"}


def test_every_documented_setting_exists():
    import tomllib

    from segpipe.config.hub import Hub

    [toml] = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    Hub.model_validate(tomllib.loads(toml)["hub"])
    assert HuggingFace().endpoint == Hub().endpoint
