"""The curves of a training on a Trackio dashboard: of this machine, and of Trackio's own server on loopback."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from segpipe.errors import ConfigError
from segpipe.train import tracking
from tests.train.conftest import small_config
from tests.train.test_resume import run

TRACKIO = Path(sys.executable).with_name("trackio")
WRITE_TOKEN = "one-that-nobody-may-see"


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Of a process whose dashboard lies in `folder`, and which finds nobody on the network to ask who it is."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRACKIO_", "HF_"))}
    return {**kept, "TRACKIO_DIR": str(folder), "HF_HUB_OFFLINE": "1", **more}


def shown(folder: Path, *question: str) -> dict:
    """What Trackio's command says of the dashboard in `folder`."""
    command = [TRACKIO, *question, "--json"]
    done = subprocess.run(command, env=environment(folder), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def curve(folder: Path, run_name: str, metric: str) -> list[tuple[int, float]]:
    answer = shown(folder, "get", "metric", "--project", "tiny", "--run", run_name, "--metric", metric)
    return [(point["step"], point["value"]) for point in answer["values"]]


def history(work: Path, metric: str) -> list[tuple[int, Any]]:
    return [(row["epoch"], row[metric]) for row in json.loads((work / "history.json").read_text())]


def test_killed_and_continued_it_shows_every_epoch(files, tmp_path):
    config, work, dashboard = small_config(epochs=3, tracker="trackio"), tmp_path / "work", tmp_path / "dashboard"
    status, told = run(config, files, work, killed_in="epoch 3/3", environment=environment(dashboard))
    assert status == -signal.SIGKILL, told
    status, told = run(config, files, work, environment=environment(dashboard))
    assert status == 0, told
    assert "rackio" not in told  # Its greetings go to the log.

    [name] = shown(dashboard, "list", "runs", "--project", "tiny")["runs"]
    for metric in ("val_mean_iou", "loss"):
        assert dict(curve(dashboard, name, metric)) == pytest.approx(dict(history(work, metric)))


def test_turned_on_after_the_training_it_shows_that_training_once(files, tmp_path):
    work, dashboard = tmp_path / "work", tmp_path / "dashboard"
    trained = []
    for tracker in ("none", "trackio", "trackio"):
        config = small_config(epochs=2, tracker=tracker)
        status, told = run(config, files, work, environment=environment(dashboard))
        assert status == 0, told
        trained.append(told.count("epoch 2/2"))  # What the calls before told is part of it.
    assert len(set(trained)) == 1
    [name] = shown(dashboard, "list", "runs", "--project", "tiny")["runs"]
    points = curve(dashboard, name, "val_iou/bright")
    assert len(points) == 2
    assert dict(points) == pytest.approx({epoch: iou[1] for epoch, iou in history(work, "val_class_iou")})


@pytest.fixture
def server(tmp_path):
    """Trackio's own; its address and its folder."""
    folder = tmp_path / "server"
    settings = environment(folder, TRACKIO_WRITE_TOKEN=WRITE_TOKEN, BROWSER="true", PYTHONUNBUFFERED="1")
    command = [TRACKIO, "show", "--host", "127.0.0.1"]
    with subprocess.Popen(
        command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            for line in process.stdout:
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    yield found[0], folder
                    break
        finally:
            process.kill()


def test_it_goes_to_a_server_and_the_token_nowhere_else(server, files, tmp_path):
    address, folder = server
    work = tmp_path / "work"
    there = {"TRACKIO_SERVER_URL": address, "TRACKIO_WRITE_TOKEN": WRITE_TOKEN}
    status, told = run(
        small_config(epochs=2, tracker="trackio"), files, work, environment=environment(tmp_path / "here", **there)
    )
    assert status == 0, told
    [name] = shown(folder, "list", "runs", "--project", "tiny")["runs"]
    assert dict(curve(folder, name, "val_loss")) == pytest.approx(dict(history(work, "val_loss")))
    written = [path for path in work.rglob("*") if path.is_file()]
    assert not any(WRITE_TOKEN.encode() in path.read_bytes() for path in written)
    assert WRITE_TOKEN not in told


def test_without_trackio_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackio", None)
    tracking.check(small_config())
    with pytest.raises(ConfigError, match=r"pip install segpipe\[tracking\]"):
        tracking.check(small_config(tracker="trackio"))


def test_a_server_without_a_token_is_told_before_the_first_epoch(files, tmp_path):
    settings = environment(tmp_path / "here", TRACKIO_SERVER_URL="http://127.0.0.1:9")
    status, told = run(small_config(tracker="trackio"), files, tmp_path / "work", environment=settings)
    assert status == 1
    assert "Trackio, the train.tracker, cannot start" in told
    assert "TRACKIO_WRITE_TOKEN" in told
    assert "epoch 1" not in told


def test_a_token_in_a_wrong_address_is_not_told(files, tmp_path):
    settings = environment(tmp_path / "here", TRACKIO_SERVER_URL=f"curves.example/?write_token={WRITE_TOKEN}&x=1")
    status, told = run(small_config(tracker="trackio"), files, tmp_path / "work", environment=settings)
    assert status == 1
    assert "must be a full URL" in told
    assert WRITE_TOKEN not in told
