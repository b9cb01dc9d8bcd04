"""What the tests of the server share: the server itself on loopback, answering with a model whose answer is plain."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from segpipe.serve import server
from segpipe.serve.answering import RequestLimits
from tests.serve import server_model


@contextmanager
def running(settings: server.Settings, **options: object) -> Iterator[str]:
    """Runs the server in a thread; yields its address once a version answers."""
    with server.application(settings, **options) as app:
        uvicorn_server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        thread = threading.Thread(target=uvicorn_server.run)
        thread.start()
        try:
            while not uvicorn_server.started:
                time.sleep(0.01)
            port = uvicorn_server.servers[0].sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}"
        finally:
            uvicorn_server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def serving_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strongest") / "serving"
    server_model.save(folder, 1)
    return folder


@pytest.fixture(scope="session")
def address(serving_folder: Path) -> Iterator[str]:
    import requests

    settings = server.Settings(
        name="strongest",
        folder=str(serving_folder),
        workers=2,
        requests=RequestLimits(max_body_mb=1, max_pictures=16, max_megapixels=1),
    )
    with running(settings) as url:
        deadline_s = time.monotonic() + 60
        while requests.get(f"{url}/v2/health/ready", timeout=5).status_code != 200:
            if time.monotonic() > deadline_s:
                raise TimeoutError("the model did not load")
            time.sleep(0.05)
        yield url
