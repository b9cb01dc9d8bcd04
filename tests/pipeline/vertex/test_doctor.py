"""What `segpipe doctor --cloud` finds in a project on loopback, and the command it names for each thing."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segpipe import config as config_module
from segpipe.cli.main import app
from segpipe.errors import RunError
from segpipe.pipeline.vertex.doctor import findings
from tests.servers.google_cloud import LoopbackGoogle
from tests.servers.google_rest import Answer, Request

CONFIG = Path(__file__).parents[3] / "configs" / "vertex.toml"
PROJECT = "projects/my-project"
ACCOUNT = "segpipe-pipeline@my-project.iam.gserviceaccount.com"
REPOSITORY = f"artifactregistry.googleapis.com GET /v1/{PROJECT}/locations/us-central1/repositories/segpipe"
POLICIES = {
    f"cloudresourcemanager.googleapis.com POST /v1/{PROJECT}:getIamPolicy": [
        "roles/aiplatform.user", "roles/logging.logWriter", "roles/dataflow.developer", "roles/dataflow.worker",
    ],
    f"{REPOSITORY}:getIamPolicy": ["roles/artifactregistry.reader"],
    f"iam.googleapis.com POST /v1/{PROJECT}/serviceAccounts/{ACCOUNT}:getIamPolicy": ["roles/iam.serviceAccountUser"],
    f"secretmanager.googleapis.com GET /v1/{PROJECT}/secrets/hf:getIamPolicy": ["roles/secretmanager.secretAccessor"],
}  # fmt: skip
BUCKET_ROLES = ["roles/storage.objectUser", "roles/storage.legacyBucketReader"]
HUB = ("hub.kind=huggingface", "hub.username=me", f"hub.token=secret:{PROJECT}/secrets/hf")


def quota(limit: int) -> dict:
    buckets = [{"effectiveLimit": "0"}, {"effectiveLimit": str(limit), "dimensions": {"region": "us-central1"}}]
    return {"consumerQuotaLimits": [{"quotaBuckets": buckets}]}


def policy(roles: list[str]) -> dict:
    return {"bindings": [{"role": role, "members": [f"serviceAccount:{ACCOUNT}"]} for role in roles]}


def of_bucket(roles: list[str]) -> Callable[[Request], Answer | None]:
    """The emulator keeps no policy of a bucket."""
    text = json.dumps(policy(roles)).encode()
    return lambda request: Answer(200, text) if request.path.split("?")[0].endswith("my-project-segpipe/iam") else None


@pytest.fixture
def ready(google: LoopbackGoogle) -> LoopbackGoogle:
    """A project in which nothing is missing."""
    google.storage.make_bucket("my-project-segpipe")
    google.storage.faults = of_bucket(BUCKET_ROLES)
    google.rest.update(
        {
            f"serviceusage.googleapis.com GET /v1/{PROJECT}/services/": (200, {"state": "ENABLED"}),
            f"serviceusage.googleapis.com GET /v1beta1/{PROJECT}/services/": (200, quota(8)),
            f"iam.googleapis.com GET /v1/{PROJECT}/serviceAccounts/": (200, {}),
            **{asked: (200, policy(roles)) for asked, roles in POLICIES.items()},
            REPOSITORY: (200, {}),
            f"{REPOSITORY}/dockerImages/": (200, {}),
            f"secretmanager.googleapis.com GET /v1/{PROJECT}/secrets/hf": (200, {}),
            f"secretmanager.googleapis.com GET /v1/{PROJECT}/secrets/hf/versions/latest": (200, {"state": "ENABLED"}),
        }
    )
    return google


def problems(*overrides: str) -> list[str]:
    return [line for good, line in findings(config_module.load(CONFIG, overrides)) if not good]


def test_a_project_that_has_everything(ready: LoopbackGoogle) -> None:
    assert problems() == []
    result = CliRunner().invoke(app, ["doctor", "--cloud", str(CONFIG)])
    assert result.exit_code == 0, result.output
    assert "All good" in result.output


@pytest.mark.parametrize(
    ("asked", "answer", "overrides", "command"),
    [
        (
            f"serviceusage.googleapis.com GET /v1/{PROJECT}/services/compute.googleapis.com",
            {"state": "DISABLED"},
            (),
            "gcloud services enable compute.googleapis.com --project=my-project",
        ),
        (
            f"iam.googleapis.com GET /v1/{PROJECT}/serviceAccounts/",
            None,
            (),
            "gcloud iam service-accounts create segpipe-pipeline --project=my-project",
        ),
        (
            REPOSITORY,
            None,
            (),
            "gcloud artifacts repositories create segpipe --project=my-project --location=us-central1 "
            "--repository-format=docker",
        ),
        (f"{REPOSITORY}/dockerImages/pipeline@", None, (), "make push-image"),
        (f"{REPOSITORY}/dockerImages/pipeline-gpu@", None, (), "make push-image-gpu"),
        (
            f"serviceusage.googleapis.com GET /v1beta1/{PROJECT}/services/",
            quota(1),
            ("vertex.training.replicas=2",),
            "--quota-id=CustomModelTrainingNvidiaT4GPUsPerProjectPerRegion --preferred-value=2",
        ),
        (
            f"secretmanager.googleapis.com GET /v1/{PROJECT}/secrets/hf",
            None,
            HUB,
            "gcloud secrets create hf --project=my-project",
        ),
        *(
            (
                f"secretmanager.googleapis.com GET /v1/{PROJECT}/secrets/hf/versions/latest",
                answer,
                HUB,
                "the secret hf holds no value: gcloud secrets versions add hf --project=my-project --data-file=-",
            )
            for answer in (None, {"state": "DISABLED"})
        ),
    ],
)
def test_each_thing_that_is_missing_comes_with_its_command(
    ready: LoopbackGoogle, asked: str, answer: dict | None, overrides: tuple[str, ...], command: str
) -> None:
    ready.rest[asked] = (404, {}) if answer is None else (200, answer)
    assert any(command in line for line in problems(*overrides))


@pytest.mark.parametrize(
    ("role", "command"),
    [
        ("roles/aiplatform.user", "gcloud projects add-iam-policy-binding my-project --condition=None"),
        ("roles/dataflow.worker", "gcloud projects add-iam-policy-binding my-project --condition=None"),
        (
            "roles/artifactregistry.reader",
            "gcloud artifacts repositories add-iam-policy-binding segpipe --project=my-project --location=us-central1",
        ),
        (
            "roles/iam.serviceAccountUser",
            f"gcloud iam service-accounts add-iam-policy-binding {ACCOUNT} --project=my-project",
        ),
        ("roles/secretmanager.secretAccessor", "gcloud secrets add-iam-policy-binding hf --project=my-project"),
    ],
)
def test_each_role_that_is_missing_comes_with_the_command_that_grants_it_there(
    ready: LoopbackGoogle, role: str, command: str
) -> None:
    for asked, roles in POLICIES.items():
        ready.rest[asked] = 200, policy([one for one in roles if one != role])
    [line] = problems("dataflow.enabled=true", *HUB)
    assert line == f"{ACCOUNT} lacks {role}: {command} --member=serviceAccount:{ACCOUNT} --role={role}"


def test_a_role_on_the_bucket_that_is_missing(ready: LoopbackGoogle) -> None:
    ready.storage.faults = of_bucket(["roles/storage.objectAdmin"])  # holds objectUser, but not the bucket itself
    [line] = problems()
    assert "gcloud storage buckets add-iam-policy-binding gs://my-project-segpipe --member=" in line
    assert line.endswith("--role=roles/storage.legacyBucketReader")


def test_a_role_on_the_project_counts_for_what_is_in_it(ready: LoopbackGoogle) -> None:
    [project, *resources] = POLICIES
    for asked in resources:
        ready.rest[asked] = 200, {}
    ready.storage.faults = of_bucket([])
    ready.rest[project] = 200, policy(["roles/storage.admin", *itertools.chain(*POLICIES.values())])
    assert problems("dataflow.enabled=true", *HUB) == []


def test_a_bucket_elsewhere_is_found(ready: LoopbackGoogle) -> None:
    [line] = problems("vertex.region=europe-west4", "vertex.training.accelerator_type=''")
    assert "gs://my-project-segpipe is in us-central1, the run in europe-west4" in line
    assert "--location=europe-west4" in line


@pytest.mark.parametrize(
    ("multi_region", "region"), [("EU", "europe-west4"), ("US", "us-central1"), ("ASIA", "asia-east1")]
)
def test_a_bucket_in_the_multi_region_around_the_run_is_near_enough(
    ready: LoopbackGoogle, multi_region: str, region: str
) -> None:
    kept, roles = json.dumps({"location": multi_region}).encode(), ready.storage.faults
    ready.storage.faults = lambda request: (
        roles(request) or (Answer(200, kept) if request.path.split("?")[0].endswith("/b/my-project-segpipe") else None)
    )
    found = problems(f"vertex.region={region}", "vertex.training.accelerator_type=''")
    assert not any("would cross regions" in line for line in found)
    if multi_region == "EU":
        assert any("would cross regions" in line for line in problems("vertex.region=europe-west6"))


def test_no_bucket(ready: LoopbackGoogle) -> None:
    [line, *roles] = problems("vertex.pipeline_root=gs://nowhere/runs")
    assert all("add-iam-policy-binding gs://nowhere" in role for role in roles)
    assert "gcloud storage buckets create gs://nowhere --project=my-project --location=us-central1" in line


def test_no_login(google: LoopbackGoogle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    assert problems() == ["no Google login: gcloud auth application-default login"]


def test_a_login_that_may_not_look_is_not_told_that_nothing_is_there(ready: LoopbackGoogle) -> None:
    ready.rest[REPOSITORY] = (403, {})
    *_, last = problems()
    assert "(artifactregistry.googleapis.com refused), so what is missing above may be there" in last
    assert "roles/viewer" in last


def test_no_network_is_one_line(google: LoopbackGoogle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # Nobody listens there.
    result = CliRunner().invoke(app, ["doctor", "--cloud", str(CONFIG)])
    assert isinstance(result.exception, RunError)
    assert "looking at Google Cloud failed: Google cannot be reached from this machine" in str(result.exception)
