"""A training on Vertex AI: the published parameters, both logins, the Hub's token, the image, and the report."""

import json
import re

import pytest

from tests.workflows.act import runs

IMAGE = "europe-docker.pkg.dev/my-project/segpipe/pipeline"
PAGE = "https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/demo-1?project=my-project"
VARIABLES = {"GCP_PROJECT": "my-project", "GCP_REGION": "europe-west4", "IMAGE": IMAGE, "HF_SECRET": "hf-write"}
KEYLESS = {"WORKLOAD_IDENTITY_PROVIDER": "projects/1/locations/global/workloadIdentityPools/github/providers/segpipe"}

REGISTRY = f"""
case "$1" in
  push) grep -qxF "$2" "$STAND_IN_LOG.tags" 2>/dev/null && {{ echo "$2 is there: the tag is immutable" >&2; exit 1; }}
        echo "$2" >> "$STAND_IN_LOG.tags" ;;
  inspect) echo {IMAGE}@sha256:00ff ;;
esac
"""
"""Docker in front of a registry with immutable tags, whose every build gives another digest."""

VERDICT = """
case "$1" in
  submit) echo "$PAGE_OF_THE_RUN"; printf 'dataflow\\t%s\\n' "$ENABLE_DATAFLOW" >> "$STAND_IN_LOG" ;;
  ci) mkdir -p runs/verdict && echo "### Blessed" | tee runs/verdict/verdict.md
      echo '{"conclusion": "success", "title": "Blessed", "change": {"config": "configs/vertex.toml"}}' \\
        > runs/verdict/verdict.json ;;
esac
"""


@pytest.fixture
def train(forge, github):
    """Starts train.yml for Vertex AI, whose run takes no time."""
    (forge.root / "src/model.txt").write_text("0.6")
    github.pulls[7] = {"ref": "main", "sha": forge.commit(), "full_name": "owner/repo"}
    forge.replace_command("segpipe", VERDICT)
    forge.replace_command("docker", REGISTRY)

    def train(inputs=None, variables=None, secrets=None):
        return forge.run(
            "workflow_dispatch",
            "train.yml",
            {"inputs": {"config": "configs/vertex.toml", "target": "vertex", **(inputs or {})}},
            variables={**VARIABLES, **(variables or {})},
            secrets=secrets,
            environment={"PAGE_OF_THE_RUN": PAGE},
        )

    return train


def asked(forge, name):
    """What a stand-in was asked to do, each time."""
    return [line.partition("\t")[2] for line in forge.log if line.startswith(f"{name}\t")]


@runs("train.yml/vertex", "train.yml/report", "report.yml/report")
def test_a_run_on_vertex_reports_to_the_pull_request(forge, github, train):
    finished = train({"pullRequest": "7"})
    assert finished.succeeded, finished.output
    assert asked(forge, "segpipe") == [
        f"submit configs/vertex.toml --wait --set vertex.image={IMAGE}@sha256:00ff "
        "--set vertex.project=my-project --set vertex.region=europe-west4",
        f"ci submitted {PAGE} --config configs/vertex.toml --out runs/verdict",
    ]
    assert asked(forge, "gcloud")[0] == "auth configure-docker europe-docker.pkg.dev --quiet"
    image = f"{IMAGE}:{forge.git('rev-parse', 'HEAD')}-1-1"
    assert asked(forge, "docker")[:2] == [f"build --quiet --tag {image} .", f"push {image}"]
    [comment] = github.comments
    assert "### Blessed" in comment["body"]
    assert PAGE in comment["body"]
    assert github.checks[0]["head_sha"] == forge.git("rev-parse", "HEAD")


def test_the_published_parameters_win_over_the_variables(forge, train):
    finished = train(
        {"gcpProject": "their-project", "gcpRegion": "us-west1", "pipelineName": "theirs", "enableDataflow": "true"},
        secrets={"their_project": "{}"},
    )
    assert finished.succeeded, finished.output
    [submitted, _] = asked(forge, "segpipe")
    assert "--set vertex.project=their-project --set vertex.region=us-west1 --set name=theirs" in submitted
    assert asked(forge, "dataflow") == ["true"]


def test_without_a_key_the_job_logs_in_by_workload_identity(forge, train):
    assert train(variables={**KEYLESS, "CI_SERVICE_ACCOUNT": "ci@my-project"}, secrets={"my_project": "{}"}).succeeded
    [login] = [json.loads(line) for line in asked(forge, "google-github-actions/auth")]
    assert login["workload_identity_provider"] == KEYLESS["WORKLOAD_IDENTITY_PROVIDER"]
    assert login["service_account"] == "ci@my-project"
    assert not login["credentials_json"]
    assert asked(forge, "dataflow") == ["false"]


def test_the_key_is_the_secret_that_is_named_after_the_project(forge, train):
    assert train(secrets={"my_project": '{"key": 1}', "HF_TOKEN": "hf_token"}).succeeded
    [login] = [json.loads(line) for line in asked(forge, "google-github-actions/auth")]
    assert json.loads(login["credentials_json"]) == {"key": 1}
    assert login["project_id"] == "my-project"


def test_the_hubs_token_goes_to_secret_manager_and_nowhere_else(forge, train):
    finished = train(secrets={"my_project": "{}", "HF_TOKEN": "hf_token"})
    assert finished.succeeded, finished.output
    kept = "secrets versions add hf-write --data-file=- --project my-project < hf_token"
    assert [line for line in forge.log if "hf_token" in line] == [f"gcloud\t{kept}"]
    assert "hf_token" not in finished.output


def test_a_token_that_is_for_publishing_from_here_needs_no_secret_there(forge, train):
    finished = train(variables={"HF_SECRET": ""}, secrets={"my_project": "{}", "HF_TOKEN": "hf_token"})
    assert finished.succeeded, finished.output
    assert not any("hf_token" in line for line in forge.log)


def test_the_image_for_gpus_is_pushed_where_it_is_wanted(forge, train):
    finished = train(variables={"PUSH_GPU_IMAGE": "true"})
    assert finished.succeeded, finished.output
    image = f"{IMAGE}-gpu:{forge.git('rev-parse', 'HEAD')}-1-1"
    assert f"build --quiet --build-arg GPU=1 --tag {image} ." in asked(forge, "docker")
    assert f"--set vertex.gpu_image={IMAGE}" in asked(forge, "segpipe")[0]


def test_a_second_run_of_the_same_commit_pushes_its_image_too(forge, train):
    for _ in range(2):
        finished = train(variables={"PUSH_GPU_IMAGE": "true"})
        assert finished.succeeded, finished.output


def test_an_image_that_is_pushed_by_hand_has_a_tag_of_its_own(forge):
    forge.replace_command("docker", REGISTRY)
    forge.replace_command("date", 'grep -c ^date "$STAND_IN_LOG"')
    forge.commit()
    for target in ("push-image", "push-image-gpu", "push-image", "push-image-gpu"):
        finished = forge.make(target, "REPOSITORY=europe-docker.pkg.dev/my-project/segpipe")
        assert finished.stdout.splitlines()[-1] == f"{IMAGE}@sha256:00ff", finished.stderr
    pushed = [line.removeprefix("push ") for line in asked(forge, "docker") if line.startswith("push ")]
    commit = forge.git("rev-parse", "--short=12", "HEAD")
    assert pushed == [f"{IMAGE}{kind}:{commit}-{time}" for time, kind in enumerate(["", "-gpu"] * 2, start=1)]


def test_an_image_can_be_pushed_from_a_folder_that_is_no_git_checkout(forge):
    forge.replace_command("docker", REGISTRY)
    forge.replace_command("git", "exit 128")
    assert forge.make("push", f"IMAGE={IMAGE}").returncode == 0
    [pushed] = [line for line in asked(forge, "docker") if line.startswith("push ")]
    assert re.fullmatch(r"push \S+/pipeline:local-\d{8}T\d{6}Z", pushed)


def test_a_run_that_fails_makes_the_report_red(forge, github, train):
    forge.replace_command("segpipe", "echo 'segpipe: step Trainer failed' >&2; exit 1")
    assert not train({"pullRequest": "7"}).succeeded
    assert github.checks[0]["conclusion"] == "failure"
    assert "No verdict: the run ended before there was one" in github.comments[0]["body"]
