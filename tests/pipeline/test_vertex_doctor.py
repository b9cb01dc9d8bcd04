"""What `segpipe doctor --cloud` finds in a project on loopback, and the command it names for each thing."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from segpipe import config as config_module
from segpipe.cli.cloud_doctor import findings
from segpipe.cli.main import app
from tests.servers.google_cloud import LoopbackGoogle

CONFIG = Path(__file__).parents[2] / "configs" / "vertex.toml"
PROJECT = "projects/my-project"
ACCOUNT = "segpipe-pipeline@my-project.iam.gserviceaccount.com"
REPOSITORY = f"artifactregistry.googleapis.com GET /v1/{PROJECT}/locations/us-central1/repositories/segpipe"
ROLES = [
    "roles/aiplatform.user", "roles/artifactregistry.reader", "roles/logging.logWriter", "roles/dataflow.developer",
    "roles/dataflow.worker",
]  # fmt: skip


def quota(limit: int) -> dict:
    buckets = [{"effectiveLimit": "0"}, {"effectiveLimit": str(limit), "dimensions": {"region": "us-central1"}}]
    return {"consumerQuotaLimits": [{"quotaBuckets": buckets}]}


@pytest.fixture
def ready(google: LoopbackGoogle) -> LoopbackGoogle:
    """A project in which nothing is missing."""
    google.storage.make_bucket("my-project-segpipe")
    google.rest.update(
        {
            f"serviceusage.googleapis.com GET /v1/{PROJECT}/services/": (200, {"state": "ENABLED"}),
            f"serviceusage.googleapis.com GET /v1beta1/{PROJECT}/services/": (200, quota(8)),
            f"iam.googleapis.com GET /v1/{PROJECT}/serviceAccounts/": (200, {}),
            f"cloudresourcemanager.googleapis.com POST /v1/{PROJECT}:getIamPolicy": (
                200,
                {"bindings": [{"role": role, "members": [f"serviceAccount:{ACCOUNT}"]} for role in ROLES]},
            ),
            REPOSITORY: (200, {}),
            f"{REPOSITORY}/dockerImages/": (200, {}),
            f"secretmanager.googleapis.com GET /v1/{PROJECT}/secrets/hf": (200, {}),
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
            f"cloudresourcemanager.googleapis.com POST /v1/{PROJECT}:getIamPolicy",
            {"bindings": [{"role": role, "members": [f"serviceAccount:{ACCOUNT}"]} for role in ROLES[1:]]},
            (),
            f"gcloud projects add-iam-policy-binding my-project --member=serviceAccount:{ACCOUNT} "
            "--role=roles/aiplatform.user --condition=None",
        ),
        (
            f"cloudresourcemanager.googleapis.com POST /v1/{PROJECT}:getIamPolicy",
            {"bindings": [{"role": role, "members": [f"serviceAccount:{ACCOUNT}"]} for role in ROLES[:4]]},
            ("dataflow.enabled=true",),
            "--role=roles/dataflow.worker",
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
            (f"hub.token=secret:{PROJECT}/secrets/hf",),
            "gcloud secrets create hf --project=my-project",
        ),
    ],
)
def test_each_thing_that_is_missing_comes_with_its_command(
    ready: LoopbackGoogle, asked: str, answer: dict | None, overrides: tuple[str, ...], command: str
) -> None:
    ready.rest[asked] = (404, {}) if answer is None else (200, answer)
    assert any(command in line for line in problems(*overrides))


def test_a_bucket_elsewhere_is_found(ready: LoopbackGoogle) -> None:
    [line] = problems("vertex.region=europe-west4", "vertex.training.accelerator_type=''")
    assert "gs://my-project-segpipe is in us-central1, the run in europe-west4" in line
    assert "--location=europe-west4" in line


def test_no_bucket(ready: LoopbackGoogle) -> None:
    [line] = problems("vertex.pipeline_root=gs://nowhere/runs")
    assert "gcloud storage buckets create gs://nowhere --project=my-project --location=us-central1" in line


def test_no_login(google: LoopbackGoogle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    assert problems() == ["no Google login: gcloud auth application-default login"]
