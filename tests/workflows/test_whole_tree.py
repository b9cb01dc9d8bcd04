"""CI's and the release's jobs on this very tree, as far as it goes without the outside; minutes."""

import io
import re

import numpy as np
import pytest
from google.cloud import aiplatform_v1 as v1
from google.protobuf import json_format
from PIL import Image

from segpipe.ingest import feature_schema
from tests import small
from tests.cicd import judged
from tests.servers.hub import LoopbackHub
from tests.workflows.act import runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    """Lets `make test` inside of `make test` end, and the second `make check` know the types that the first found."""
    return {"PYTEST_ADDOPTS": "tests/io/test_atomic.py", "MYPY_CACHE_DIR": str(tmp_path_factory.mktemp("mypy"))}


@pytest.fixture
def whole(new_forge):
    new_forge.copy(".")
    new_forge.commit()
    return new_forge


@pytest.mark.parametrize(
    "job", [pytest.param(job, marks=runs(f"ci.yml/{job}")) for job in ("check", "test", "docs", "compile")]
)
def test_a_job_of_ci_is_green(whole, quick, job):
    finished = whole.run("push", "ci.yml", job=job, environment=quick)
    assert finished.succeeded, finished.output
    assert len(finished.jobs) == 1


@runs(*(f"release.yml/{job}" for job in ("build", "pypi", "image", "site", "pages", "announce")))
def test_a_release_builds_once_signs_and_ships_what_was_built(whole, quick):
    event = {"ref": "refs/tags/v0.1.0"}
    image, digest = "europe-docker.pkg.dev/project/images/segpipe", f"sha256:{'0f' * 32}"
    variables = {"IMAGE": image}
    whole.replace_command("docker", f'if [ "$1" = inspect ]; then echo {image}@{digest}; fi')
    finished = whole.run("push", "release.yml", event, environment=quick, variables=variables)
    assert finished.succeeded, finished.output
    assert len(finished.jobs) == 6
    built = {path.name for path in (whole.artifacts / "dist").iterdir()}
    assert built == {"segpipe-0.1.0-py3-none-any.whl", "segpipe-0.1.0.tar.gz", "sbom.cdx.json"}
    done = [line.split("\t")[0] for line in whole.log]
    released = next(place for place, line in enumerate(whole.log) if line.startswith("gh\trelease create v0.1.0"))
    assert done.index("actions/attest-build-provenance") < done.index("pypa/gh-action-pypi-publish") < released
    assert f"docker\tpush {image}:v0.1.0" in whole.log
    signed = [line for line in whole.log if line.startswith("actions/attest-build-provenance")]
    assert f'"subject-digest": "{digest}",  "subject-name": "{image}"' in signed[-1]


def test_a_tag_that_is_not_the_packages_version_ships_nothing(whole, quick):
    finished = whole.run("push", "release.yml", {"ref": "refs/tags/v9.9.9"}, environment=quick)
    assert not finished.succeeded
    assert whole.log == []


@runs("ci.yml/verdict", "verdict.yml/train", "verdict.yml/report")
def test_two_real_trainings_reach_the_pull_request(whole, github):
    write_discs(whole.root / "data", count=48, side=48)
    small.add(whole.root / "src")
    (whole.root / "configs/demo.toml").write_text(DISCS.format(epochs=2))
    feature_schema.write(whole.root / "configs/schema.pbtxt", feature_schema.build(["ground", "disc"]))
    base = whole.commit()
    (whole.root / "configs/demo.toml").write_text(DISCS.format(epochs=3))
    head = whole.commit()
    pull = {"number": 7, "head": {"sha": head, "repo": {"full_name": "owner/repo"}}, "base": {"sha": base}}
    finished = whole.run("pull_request", "ci.yml", {"number": 7, "pull_request": pull}, job="verdict")
    assert finished.succeeded, finished.output
    [comment] = github.comments
    assert "✅ Blessed: mean IoU" in comment["body"]
    assert "The gate met no champion" not in comment["body"]
    assert f"base {base[:12]}" in comment["body"]
    assert "In brackets: 95 % intervals" in comment["body"]
    shown = [github.file(url) for url in re.findall(r"!\[.+\]\((.+)\)", comment["body"])]
    assert [Image.open(io.BytesIO(picture)).size for picture in shown] == [(4 * 32 + 3 * 4, 32)] * 3
    assert (whole.artifacts / "report.html/report.html").read_text().startswith("<!doctype html>")


@runs("train.yml/vertex", "train.yml/report", "report.yml/report")
def test_from_the_dispatch_to_vertex_to_the_pull_request(whole, github, google, evaluation):
    """The job is compiled, staged and submitted for real; the service on loopback takes no time over it."""
    for bucket in ("bucket", "my-project-segpipe"):
        google.storage.make_bucket(bucket)
    google.vertex.runs = lambda job: judged.finish(google, job, evaluation)
    github.pulls[7] = {"ref": "main", "sha": whole.git("rev-parse", "HEAD"), "full_name": "owner/repo"}
    image = f"us-central1-docker.pkg.dev/my-project/segpipe/pipeline@sha256:{'0f' * 32}"
    whole.replace_command("docker", f'if [ "$1" = inspect ]; then echo {image}; fi')
    inputs = {"config": "configs/vertex.toml", "target": "vertex", "enableDataflow": "true", "pullRequest": "7"}
    finished = whole.run(
        "workflow_dispatch",
        "train.yml",
        {"inputs": {**inputs, "pipelineName": "from-a-branch", "gcpRegion": "europe-west4"}},
        variables={"GCP_PROJECT": "my-project", "IMAGE": image.partition("@")[0]},
        environment=google.environment(),
    )
    assert finished.succeeded, finished.output
    [job] = google.vertex.store.jobs.values()
    assert "/locations/europe-west4/" in job.name
    assert job.display_name == "from-a-branch"
    compiled = json_format.MessageToJson(v1.PipelineJob.pb(job).pipeline_spec)
    assert "DataflowRunner" in compiled
    assert image in compiled
    [comment] = github.comments
    assert "### ✅ Blessed: mean IoU" in comment["body"]
    assert "against the champion" in comment["body"]
    shown = [github.file(url) for url in re.findall(r"!\[.+\]\((.+)\)", comment["body"])]
    assert shown == [(evaluation / f"worst/{number}.jpg").read_bytes() for number in (1, 2, 3)]
    assert f"/locations/europe-west4/pipelines/runs/{job.name.split('/')[-1]}?project=my-project" in comment["body"]
    assert github.checks[0]["conclusion"] == "success"


@runs("train.yml/publish")
def test_a_blessed_model_reaches_the_hub_without_a_token(whole, github):
    write_discs(whole.root / "data", count=48, side=48)
    small.add(whole.root / "src")
    feature_schema.write(whole.root / "configs/schema.pbtxt", feature_schema.build(["ground", "disc"]))
    with LoopbackHub() as hub:
        github.identity = "job-of-owner/discs"
        section = f'[hub]\nusername = "owner"\nrepo_name = "discs"\nendpoint = "{hub.endpoint}"\n'
        (whole.root / "configs/demo.toml").write_text(DISCS.format(epochs=1) + section)
        whole.commit()
        inputs = {"config": "configs/demo.toml", "target": "local", "publish": "true"}
        identity = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": github.identity_url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "id-token",
            "HF_HUB_DISABLE_XET": "1",
        }
        finished = whole.run("workflow_dispatch", "train.yml", {"inputs": inputs}, environment=identity)
        assert finished.succeeded, finished.output
        assert finished.jobs == {"Train/On the runner, and to the Hub": True}
        assert {"README.md", "saved_model.pb"} <= {path.split("/")[-1] for path in hub.repo("owner/discs").paths()}


DISCS = """
name = "demo"
[source]
kind = "folder"
path = "../data"
[data]
classes = ["ground", "disc"]
image_size = 32
[model]
architecture = "small"
[train]
epochs = {epochs}
batch_size = 8
[gate]
min_mean_iou = 0.0
max_mean_iou_drop = 1.0
max_plausible_drop = 1.0
"""


def write_discs(folder, count, side):
    """Pictures of a bright disc on dark ground, [side, side], with the disc as mask."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side]
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        row, column = random.integers(side // 4, 3 * side // 4, 2)
        disc = (rows - row) ** 2 + (columns - column) ** 2 < (side // 4) ** 2
        picture = np.where(disc[..., None], 200, 60) + random.integers(-30, 30, (side, side, 3))
        Image.fromarray(picture.astype(np.uint8)).save(folder / "images" / f"{number}.png")
        Image.fromarray(disc.astype(np.uint8)).save(folder / "masks" / f"{number}.png")
