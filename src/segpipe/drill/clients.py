"""Pictures and a deployed version in; they are sent to `segpipe serve` on loopback, which keeps what it answers."""

import base64
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from segpipe.errors import RunError, UserError
from segpipe.progress import report
from segpipe.savedmodel import find
from segpipe.serve.request_log import Keeper, Retention

_BATCH = 16
_BATCH_BYTES = 32_000_000
_NAME = "drill"
_TIMEOUT_S = 120.0


def ask(serving: Path, version: int, pictures: Sequence[bytes], kept_dir: Path) -> None:
    """Sends every picture, in order, and waits until all answers are kept, with pictures and masks.

    Args:
      serving: the folder of versions.
      version: the one to ask.
      pictures: encoded.
      kept_dir: where the server keeps them.

    Raises:
      UserError: the server's packages are not installed.
      RunError: the server does not start.
    """
    with (
        Keeper(kept_dir, share=1.0, pictures=True, retention=Retention(max_mb=1e6, max_days=1e6)) as keeper,
        _serving(serving, keeper) as address,
    ):
        url = f"{address}/v1/models/{_NAME}/versions/{version}:predict"
        sent = 0
        for batch in batches(pictures, _BATCH, _BATCH_BYTES):
            _post(url, {"instances": [{"b64": base64.b64encode(one).decode()} for one in batch]})
            keeper.flush()  # It drops what comes faster than it writes.
            sent += len(batch)
            report("requests", sent, len(pictures))


def batches(pictures: Sequence[bytes], most: int, most_bytes: int) -> Iterator[list[bytes]]:
    """Cuts the pictures up, in order: at most so many, and so many bytes, go together; a larger one goes alone."""
    batch: list[bytes] = []
    for picture in pictures:
        if batch and (len(batch) == most or sum(map(len, batch)) + len(picture) > most_bytes):
            yield batch
            batch = []
        batch.append(picture)
    if batch:
        yield batch


@contextmanager
def _serving(folder: Path, keeper: Keeper) -> Iterator[str]:
    """The server in a thread; its address."""
    try:
        import uvicorn

        from segpipe.serve import server
        from segpipe.serve.answering import RequestLimits
    except ModuleNotFoundError as error:
        raise UserError(f"a drill serves the model, which needs {error.name}; install segpipe[serve].") from None
    every_version = len(find.versions(folder))
    # Ingest took every picture that comes, by the limit of its own source.
    limits = RequestLimits(max_body_mb=1e6, max_megapixels=1e6)
    settings = server.Settings(name=_NAME, folder=str(folder), keep_versions=every_version, requests=limits)
    with (
        server.application(settings, keeper.offer) as app,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        running = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        thread = threading.Thread(target=running.run, args=([listener],), name="drill-server", daemon=True)
        thread.start()
        try:
            address = "http://{}:{}".format(*listener.getsockname())
            _wait_until_ready(f"{address}/v2/models/{_NAME}/ready")
            yield address
        finally:
            running.should_exit = True
            thread.join()


def _wait_until_ready(url: str) -> None:
    deadline_s = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 — our own server.
                return
        except OSError:
            time.sleep(0.1)
    raise RunError(f"the server did not load its model within {_TIMEOUT_S:g} s.")


def _post(url: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
        answer.read()
