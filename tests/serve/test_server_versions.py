"""New versions while clients ask: no request is lost, and each is answered by the version that took it."""

import base64
import json
import shutil
import threading
import time
from pathlib import Path

import pytest
import requests

from segpipe.savedmodel.load import load
from segpipe.savedmodel.request_error import RequestError
from segpipe.serve import server
from segpipe.serve.batching import Batcher, BatchLimits
from segpipe.serve.versions import Versions
from tests.serve import server_model
from tests.serve.conftest import running
from tests.serve.server_model import RED, picture


def test_a_new_version_takes_over_without_a_lost_request(tmp_path: Path):
    folder = tmp_path / "serving"
    server_model.save(folder, 1)
    body = json.dumps({"instances": [{"b64": base64.b64encode(picture(RED)).decode()}]})
    settings = server.Settings(name="m", folder=str(folder), workers=2, poll_s=0.1)
    answers: list[tuple[int, float]] = []
    stop = threading.Event()

    def ask(url: str) -> None:
        with requests.Session() as session:
            while not stop.is_set():
                answer = session.post(f"{url}/v1/models/m:predict", data=body, timeout=10)
                answers.append((answer.status_code, answer.json()["predictions"][0]["class_fraction"][0]))

    with running(settings) as url:
        wait_until(lambda: requests.get(f"{url}/v2/health/ready", timeout=5).status_code == 200)
        clients = [threading.Thread(target=ask, args=(url,)) for _ in range(4)]
        for client in clients:
            client.start()
        server_model.save(folder, 2, channel_order=(1, 0, 2))  # red is class 1 now
        wait_until(lambda: answers and answers[-1] == (200, 0.0))
        stop.set()
        for client in clients:
            client.join()
        states = requests.get(f"{url}/v1/models/m", timeout=5).json()["model_version_status"]
    assert {status for status, _ in answers} == {200}
    assert {share for _, share in answers} == {0.0, 1.0}  # both versions answered
    assert [(state["version"], state["state"]) for state in states] == [("2", "AVAILABLE"), ("1", "END")]


def test_a_version_that_does_not_load_leaves_the_old_one_and_is_tried_again_when_it_changes(tmp_path: Path):
    good = server_model.save(tmp_path, 1)
    versions = Versions(tmp_path)
    versions.refresh()
    copied = tmp_path / "2"
    copied.mkdir()
    (copied / "saved_model.pb").write_bytes((good / "saved_model.pb").read_bytes()[:1000])
    versions.refresh()
    assert versions.get().version == 1
    assert versions.status()[0].state == "LOADING"
    assert versions.status()[0].error
    shutil.copytree(good, copied, dirs_exist_ok=True)
    versions.refresh()
    assert versions.get().version == 2


def test_taking_the_newest_version_away_rolls_back_and_an_empty_folder_keeps_answering(tmp_path: Path):
    server_model.save(tmp_path, 1)
    server_model.save(tmp_path, 2)
    versions = Versions(tmp_path)
    versions.refresh()
    assert versions.get().version == 2
    with pytest.raises(RequestError, match=r"version 1 is not loaded; loaded: 2"):
        versions.get(1)
    shutil.rmtree(tmp_path / "2")
    versions.refresh()
    assert versions.get().version == 1
    shutil.rmtree(tmp_path / "1")
    versions.refresh()
    assert versions.get().version == 1


def test_what_waits_together_runs_together_within_the_limits(tmp_path: Path):
    signature = load(server_model.save(tmp_path, 1), 1).signature()
    sizes: list[int] = []
    batcher = Batcher(1, BatchLimits(max_batch=4, max_batch_megapixels=1, max_waiting=8), sizes.append)
    # Queued before the worker starts: six small pictures, then two of which only one fits beside the others.
    futures = batcher.submit(signature, [(picture(RED), 100)] * 6)
    futures += batcher.submit(signature, [(picture(RED), 900_000)] * 2)
    with pytest.raises(RequestError, match="8 pictures wait already") as refused:
        batcher.submit(signature, [(picture(RED), 100)])
    assert refused.value.status == 503
    small = Batcher(1, BatchLimits(max_waiting_mb=0.001))
    with pytest.raises(RequestError, match=r"lets 1024 wait \(0.001 MB\)"):
        small.submit(signature, [(bytes(1001), 100)])
    with batcher:
        answers = [future.result(timeout=30) for future in futures]
    assert sizes == [4, 3, 1]
    assert all(answer["class_fraction"][0] == 1 for answer in answers)


def wait_until(condition, timeout_s: float = 60) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError
        time.sleep(0.02)
