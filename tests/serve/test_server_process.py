"""The server as a process: SIGTERM finishes what it accepted, kill -9 and a restart lose only what was in flight."""

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from segpipe.serve import request_log
from tests.serve import server_model
from tests.serve.server_model import RED, picture
from tests.serve.test_server_versions import wait_until

_VERB = "import typer; from segpipe.cli.serve import serve; typer.run(serve)"


def _body(pictures: int) -> str:
    return json.dumps({"instances": [{"b64": base64.b64encode(picture(RED)).decode()}] * pictures})


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen, str]]:
    server = subprocess.Popen([sys.executable, "-c", _VERB, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().strip()
        root = address.split("/v1/")[0]
        wait_until(lambda: requests.get(f"{root}/v2/health/ready", timeout=5).status_code == 200)
        yield server, address
    finally:
        server.kill()
        server.wait()


def test_sigterm_answers_what_was_accepted_and_kill_loses_no_kept_request(tmp_path: Path):
    server_model.save(tmp_path / "serving", 1)
    memory = tmp_path / "kept"
    arguments = [str(tmp_path / "serving"), "--port", "0", "--name", "m", "--keep", str(memory), "--keep-share", "1"]
    with process(*arguments) as (server, address):
        assert requests.post(f"{address}:predict", data=_body(8), timeout=30).status_code == 200
        wait_until(lambda: len(list(request_log.read(memory))) == 8)
        server.send_signal(signal.SIGKILL)
        server.wait()
    with process(*arguments) as (server, address):
        metrics = address.split("/v1/")[0] + "/metrics"
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(requests.post, f"{address}:predict", data=_body(128), timeout=60)
            wait_until(lambda: "segpipe_waiting_pictures 0.0" not in requests.get(metrics, timeout=5).text)
            server.send_signal(signal.SIGTERM)
            assert len(answer.result().json()["predictions"]) == 128
        assert server.wait(timeout=30) == 0
    assert len(list(request_log.read(memory))) == 8 + 128


def test_a_taken_port_is_the_users_error(tmp_path: Path):
    from segpipe.errors import UserError
    from segpipe.serve.server import _listening

    with (
        _listening("127.0.0.1", 0) as listener,
        pytest.raises(UserError, match="choose another --port"),
        _listening("127.0.0.1", listener.getsockname()[1]),
    ):
        pass
