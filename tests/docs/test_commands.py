"""What the README and docs/ tell people to type, typed: page by page, in a folder as a reader would have it.

docs/serving.md's Python is run here too, against the server that the page starts.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
import typer

from segpipe.cli import main
from segpipe.ingest import feature_schema
from segpipe.model.architectures import ARCHITECTURES
from segpipe.serve import request_log
from tests import shapes, small
from tests.docs import blocks
from tests.docs.blocks import ROOT
from tests.docs.test_extending import shown

pytestmark = pytest.mark.slow

PAGES = tuple(dict.fromkeys(block.page for block in blocks.of("console")))
RUN_BY = {
    ("segpipe", "drill"): "tests/drill/test_story.py",
    ("segpipe", "app"): "tests/publish/test_app_in_browser.py",
    ("segpipe", "ci"): "tests/workflows/test_whole_tree.py",
    ("segpipe", "publish", "configs/demo.toml", "--set"): "tests/publish/test_publish_command.py",
    ("make",): "tests/docs/test_blocks.py",  # the targets; what they call is on these pages too
}
"""Commands by how they begin, and the test that runs each."""

SMALLER = {
    ("segpipe", "run", "my-cats/pipeline.toml"): [
        f"--set={setting}"
        for setting in (
            "data.image_size=32", "model.architecture=small", "model.weights=none", "train.epochs=1",
            "train.batch_size=8", "gate.min_mean_iou=0",
        )
    ],
    ("python", "-m", "benchmarks.serving"): ["--seconds=0.3", "--soak=0"],
    ("segpipe", "serve"): ["--port=0"],
}  # fmt: skip
"""What is added to a command so that it ends soon, and on a port that is free."""

STATUSES = {("segpipe", "run"): (0, 3), ("segpipe", "watch"): (0, 4)}
"""Exit statuses that are no failure: 3 is a model that the gate refused, 4 is drift."""

DEMO_TOML = """
name = "demo"
[source]
path = "../home/pictures/cats"
[data]
classes = ["ground", "disk", "square"]
image_size = 32
[model]
architecture = "small"
weights = "none"
[train]
epochs = 1
batch_size = 8
[gate]
min_mean_iou = 0.0
[watch]
min_pictures = 10
"""


class Reader:
    """Somebody who types what a page says."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._package = small.copy_package(folder / "src")
        self._typed: set[tuple[str, ...]] = set()
        self._servers: list[subprocess.Popen] = []
        self.address = ""

    def type(self, words: list[str]) -> None:
        """Runs one command, unless it has been run or another test does."""
        words = [str(Path(word).expanduser()) if word.startswith("~") else word for word in words]
        words[0] = words[0].removeprefix(".venv/bin/")
        if tuple(words) in self._typed or starting(RUN_BY, words):
            return
        self._typed.add(tuple(words))
        words += starting(SMALLER, words) or []
        if words[:2] == ["segpipe", "serve"]:
            self._serve(words[1:])
        elif words[0] == "segpipe":
            status = segpipe(words[1:])
            assert status in (starting(STATUSES, words) or (0,)), f"{' '.join(words)}: exit status {status}"
        else:
            assert words[0] == "python", f"nothing here runs {words[0]}"
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(self._package)])}
            subprocess.run([sys.executable, *words[1:]], check=True, env=environment)

    def stop(self) -> None:
        """Ends the servers."""
        while self._servers:
            server = self._servers.pop()
            server.terminate()
            server.wait(timeout=60)

    def _serve(self, words: list[str]) -> None:
        self.stop()
        command = [sys.executable, "-m", "segpipe.cli.main", *words]
        self._servers.append(server := subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        url = server.stdout.readline().strip()
        self.address = url.split("/")[2]
        wait_until(lambda: requests.get(f"http://{self.address}/v2/health/ready", timeout=5).status_code == 200)
        if "--keep" in words:
            self._ask_until_kept(url, Path(words[words.index("--keep") + 1]))

    def _ask_until_kept(self, url: str, folder: Path) -> None:
        pictures = sorted((self._folder / "home" / "pictures" / "cats" / "images").iterdir())
        wanted = 12

        def asked() -> bool:
            body = {"instances": [{"b64": b64(path.read_bytes())} for path in pictures]}
            assert requests.post(f"{url}:predict", json=body, timeout=60).status_code == 200
            return len(list(request_log.read(folder))) >= wanted

        wait_until(asked)


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> Iterator[Reader]:
    """A reader who has the repository's configs, pictures of their own, and a finished demo."""
    folder = tmp_path_factory.mktemp("reader")
    cats = shapes.write_folder(folder / "home" / "pictures" / "cats", count=40)
    shapes.write_folder(folder / "drawn", count=3)
    (folder / "drawn" / "images").rename(folder / "photos")
    for name in ("photo.jpg", "picture.jpg"):
        (folder / name).write_bytes((cats / "images" / "000.jpg").read_bytes())
    configs = folder / "configs"
    configs.mkdir()
    (configs / "demo.toml").write_text(DEMO_TOML)
    feature_schema.write(configs / "schema.pbtxt", feature_schema.build(shapes.CLASSES))
    for name in ("vertex.toml", "demo.schema.pbtxt"):
        (configs / name).write_bytes((ROOT / "configs" / name).read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, small.NAME, shown("src/segpipe/model/small.py").small)
        patch.chdir(folder)
        patch.setenv("HOME", str(folder / "home"))
        found = Reader(folder)
        found.type(["segpipe", "run", "configs/demo.toml"])  # what `make demo` does
        found.type(["segpipe", "init", "my-cats", "--data", "~/pictures/cats"])
        found.type(["segpipe", "run", "my-cats/pipeline.toml"])
        yield found
        found.stop()


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_does_what_it_should(page, reader):
    for block in blocks.read(page):
        if block.marked:
            continue
        if block.language == "console":
            for words in block.commands():
                reader.type(words)
        elif page == "docs/serving.md" and block.language == "python":
            names: dict[str, object] = {}
            exec(block.text.replace("127.0.0.1:8501", reader.address), names)  # noqa: S102
            assert set(names["prediction"]) == {"mask", "class_fraction", "confidence"}
            assert np.array(names["prediction"]["mask"]).shape == (32, 32)
    reader.stop()


def test_the_tests_that_run_the_others_name_them():
    for beginning, test in RUN_BY.items():
        text = (ROOT / test).read_text(encoding="utf-8")
        assert beginning[-1].strip("-").split("/")[-1] in text


def segpipe(words: list[str]) -> int:
    """Exit status of the command line, run in this process."""
    try:
        main.app(words, standalone_mode=False)
    except (SystemExit, typer.Exit) as ended:
        return int(getattr(ended, "exit_code", None) or getattr(ended, "code", None) or 0)
    return 0


def starting(table: dict, words: list[str]):
    """The entry whose key `words` begin with."""
    return next((value for key, value in table.items() if tuple(words[: len(key)]) == key), None)


def b64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


def wait_until(condition, timeout_s: float = 120) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError
        time.sleep(0.05)
