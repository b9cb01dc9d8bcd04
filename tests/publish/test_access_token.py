import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from grpc import StatusCode

from segpipe.errors import ConfigError, RunError, UserError
from segpipe.publish import access_token
from segpipe.publish.hub import HuggingFace
from segpipe.publish.retry import Retry
from tests.publish.plans import plan
from tests.servers.hub import Fault, LoopbackHub
from tests.servers.secret_manager import LoopbackSecretManager

HUB = "https://huggingface.co"


def read(name: str, **arguments: object) -> str:
    return access_token.read(name, "me/pets", HUB, **arguments)


def test_an_environment_variable_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_TOKEN", " hf_first\n")
    assert read("env:MY_TOKEN") == "hf_first"
    monkeypatch.setenv("MY_TOKEN", "hf_second")
    assert read("env:MY_TOKEN") == "hf_second"


def test_an_unset_variable_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MY_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="environment variable MY_TOKEN, which is not set"):
        read("env:MY_TOKEN")


@pytest.mark.parametrize("pasted", ["hf_abcdefghij", "env:hf-x y", "secret:hf-write", ""])
def test_a_pasted_token_is_refused_and_not_repeated(pasted: str):
    with pytest.raises(ConfigError) as caught:
        read(pasted)
    assert not pasted or pasted not in str(caught.value)


def test_the_latest_version_of_a_secret_is_read():
    name = "projects/p/secrets/hf-write"
    with LoopbackSecretManager({f"{name}/versions/latest": b"hf_new\n", f"{name}/versions/3": b"hf_old"}) as google:
        assert read(f"secret:{name}", secret_client=google.client()) == "hf_new"
        assert read(f"secret:{name}/versions/3", secret_client=google.client()) == "hf_old"


@pytest.mark.parametrize(
    ("refusal", "kind", "sentence"),
    [
        (StatusCode.PERMISSION_DENIED, UserError, r"grant roles/secretmanager\.secretAccessor on it"),
        (StatusCode.NOT_FOUND, UserError, "has no projects/p/secrets/hf-write/versions/latest; create it"),
        (StatusCode.UNAUTHENTICATED, RunError, r"gave no .*/latest \(Unauthenticated\); run the command again"),
    ],
)
def test_a_secret_that_cannot_be_read_says_what_to_do(refusal: StatusCode, kind: type, sentence: str):
    with LoopbackSecretManager({}, refusal) as google, pytest.raises(kind, match=sentence):
        read("secret:projects/p/secrets/hf-write", secret_client=google.client())


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """GitHub's identity service of one job of me/pets; the list holds the audiences that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["Authorization"] == "Bearer runner"
            asked.append(self.path)
            body = json.dumps({"value": "job-of-me/pets"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"http://127.0.0.1:{server.server_port}/id?api=1")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner")
    yield asked
    server.shutdown()
    server.server_close()


def test_a_ci_job_publishes_without_any_stored_token(loopback: LoopbackHub, client: HuggingFace, github: list[str]):
    loopback.tokens.clear()
    HuggingFace(loopback.endpoint, token="oidc").publish(plan())
    assert set(loopback.tokens) == {"hf_jwt_me/pets", "hf_jwt_spaces/me/pets"}  # one for each repository
    assert github[0].startswith("/id?api=1&audience=http%3A%2F%2F127.0.0.1")


def test_a_job_that_is_not_trusted_is_told_so(loopback: LoopbackHub, github: list[str]):
    with pytest.raises(UserError, match=r"no trusted publisher for other/repo that matches this job \(400\)"):
        access_token.read("oidc", "other/repo", loopback.endpoint)


@pytest.mark.parametrize("fault", [Fault(503), Fault(0)], ids=str)
def test_a_failing_exchange_is_tried_again(loopback: LoopbackHub, github: list[str], fault: Fault):
    loopback.faults = lambda n, method, path: fault if n == 0 else None
    HuggingFace(loopback.endpoint, token="oidc", retry=Retry(first_wait_s=0.01)).publish(plan())
    assert loopback.requests[:2] == ["POST /oauth/token"] * 2


def test_oidc_outside_ci_says_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL", raising=False)
    with pytest.raises(ConfigError, match="id-token: write"):
        read("oidc")
