"""What Cloud Storage and a login refuse, as the real clients meet it on loopback, in one sentence each."""

import json
from pathlib import Path

import pytest
from google.cloud import storage

from segpipe.config.vertex import Vertex
from segpipe.errors import RunError, UserError
from segpipe.pipeline.vertex.errors import in_a_sentence
from tests.servers.google_cloud import PROJECT, LoopbackGoogle
from tests.servers.google_rest import Answer

VERTEX = Vertex(project=PROJECT, pipeline_root="gs://bucket/runs")


def upload() -> None:
    with in_a_sentence("uploading to Cloud Storage", VERTEX):
        blob = storage.Client(project=PROJECT).bucket("bucket").blob("runs/schema.pbtxt")
        blob.upload_from_string("feature {}", retry=None, timeout=5)


def refusal(status: int, message: str) -> Answer:
    return Answer(status, json.dumps({"error": {"code": status, "message": message}}).encode())


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (403, UserError, r"permission denied \(.*no access.*gcloud projects add-iam-policy-binding my-project"),
        (404, UserError, r"no access.*check vertex.project \(my-project\)"),
        (429, UserError, r"a quota of my-project in us-central1 is used up"),
        (503, RunError, r"https://status.cloud.google.com says what is down"),
    ],
)
def test_what_cloud_storage_refuses(google: LoopbackGoogle, status: int, kind: type[Exception], sentence: str) -> None:
    google.storage.faults = lambda request: refusal(status, "no access") if "/upload/" in request.path else None
    with pytest.raises(kind, match=f"^uploading to Cloud Storage failed: .*{sentence}"):
        upload()


def test_a_network_that_leads_nowhere_is_not_taken_for_a_missing_login(
    google: LoopbackGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # Nobody listens there.
    with pytest.raises(RunError, match="failed: Google cannot be reached from this machine; look at the network"):
        upload()


def test_no_login(google: LoopbackGoogle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with pytest.raises(UserError, match="no Google login; run `gcloud auth application-default login`"):
        upload()
