"""Google Cloud on loopback: storage, Vertex AI and logins behind one proxy, and the environment that leads there.

No client is patched and no address is set: the variables that the libraries read anyway send them here.
"""

import functools
import json
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .dataflow import LoopbackDataflow
from .gcs import LoopbackStorage
from .google_ca import Certificates, issue
from .google_grpc import LoopbackGrpc
from .google_proxy import LoopbackProxy
from .google_rest import Answer, LoopbackRest, Request
from .vertex import LoopbackVertex

PROJECT = "my-project"


@functools.cache
def _certificates() -> tuple[Certificates, tempfile.TemporaryDirectory[str]]:
    """One authority for the process, however many servers it starts: gRPC reads whom to trust once."""
    folder = tempfile.TemporaryDirectory(prefix="segpipe-ca-")
    return issue(Path(folder.name)), folder


class LoopbackGoogle:
    """All of it; a context manager.

    Attributes:
      storage, vertex, dataflow, proxy: the servers.
      rest: answers of the other services, "HOST METHOD /path" prefix → status and JSON.
      asked: what came to them, in order.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._certificates, _ = _certificates()
        self.storage, self.vertex, self.dataflow = (
            LoopbackStorage(self._certificates), LoopbackVertex(), LoopbackDataflow(),
        )  # fmt: skip
        self._grpc = LoopbackGrpc(self._certificates, (self.vertex, self.dataflow))
        self.rest: dict[str, tuple[int, object]] = {}
        self.asked: list[Request] = []
        self._others = LoopbackRest(self._certificates, self._answer)
        self.proxy = LoopbackProxy(
            {
                r"(storage|www)\.googleapis\.com": self.storage.port,
                r"[a-z0-9-]+\.googleapis\.com": self._others.port,
            },
            grpc_port=self._grpc.port,
        )
        self._stack = ExitStack()

    def forget(self) -> None:
        """Empties Vertex AI and Dataflow and what a test set; storage keeps its objects."""
        self.vertex.forget()
        self.dataflow.forget()
        self.storage.faults = lambda _: None
        self.rest.clear()
        self.asked.clear()

    def environment(self) -> dict[str, str]:
        """Variables for a process whose Google is to be this one."""
        ca = str(self._certificates.ca)
        return {
            "https_proxy": self.proxy.url,
            "HTTPS_PROXY": self.proxy.url,
            "no_proxy": "",
            "NO_PROXY": "",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": ca,
            "REQUESTS_CA_BUNDLE": ca,
            "SSL_CERT_FILE": ca,
            "CURL_CA_BUNDLE": ca,  # TensorFlow's own file system
            "HTTPLIB2_CA_CERTS": ca,  # Beam
            "GOOGLE_AUTH_TOKEN_FOR_TESTING": "loopback",  # TensorFlow's own file system
            "GOOGLE_APPLICATION_CREDENTIALS": str(self._folder / "account.json"),
            "FSSPEC_GCS": '{"session_kwargs": {"trust_env": true}}',  # gcsfs looks for no proxy by itself
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # it asks over gRPC, which the emulator does not speak
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "NO_GCE_CHECK": "true",
        }

    def process_environment(self) -> dict[str, str]:
        """`environment` on top of this process's own."""
        return {**os.environ, **self.environment()}

    def __enter__(self) -> Self:
        (self._folder / "account.json").write_text(json.dumps(_service_account()), encoding="utf-8")
        for server in (self.storage, self._grpc, self._others, self.proxy):
            self._stack.enter_context(server)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _answer(self, request: Request) -> Answer:
        if request.host == "oauth2.googleapis.com":
            return _json(200, {"access_token": "loopback", "expires_in": 3600, "token_type": "Bearer"})
        if request.path.endswith("/allowedLocations"):  # google-auth asks where an account may be used: everywhere.
            return _json(200, {"locations": [], "encodedLocations": "0x0"})
        self.asked.append(request)
        line = f"{request.host} {request.method} {request.path}"
        for prefix in sorted(self.rest, key=len, reverse=True):
            if line.startswith(prefix):
                return _json(*self.rest[prefix])
        return _json(404, {"error": {"code": 404, "message": f"{line} is not found", "status": "NOT_FOUND"}})


def _json(status: int, value: object) -> Answer:
    return Answer(status, json.dumps(value).encode())


def _service_account() -> dict[str, str]:
    """A key that was made for this run of the tests and opens nothing."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "loopback",
        "private_key": pem.decode("ascii"),
        "client_email": f"tests@{PROJECT}.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
