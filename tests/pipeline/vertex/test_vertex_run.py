"""The compiled job run for real: `segpipe submit --wait` to Vertex AI on loopback, its steps as processes on gs://."""

import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from tests import forked
from tests.pipeline.conftest import Project
from tests.servers.google_cloud import LoopbackGoogle
from tests.servers.google_grpc import Fault
from tests.servers.vertex_pipelines import LoopbackPipelines


def submit(project: Project, google: LoopbackGoogle, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, "-m", "segpipe.cli.main", "submit", str(project.folder / "pipeline.toml"), "--wait",
        "--interval-s", "0.5", *arguments,
    ]  # fmt: skip
    return forked.run(command, google.process_environment(), project.folder)


@pytest.mark.slow
@pytest.mark.timeout(2400)  # 14 processes, each of which imports TFX: minutes where nothing else runs.
def test_a_submitted_run_trains_judges_and_deploys_and_the_next_one_takes_over(
    cloud_project: Project, google: LoopbackGoogle, tmp_path: Path
) -> None:
    with LoopbackPipelines(google, tmp_path / "gcs") as pipelines:
        first = submit(cloud_project, google)
        assert first.returncode == 0, first.stderr + list(pipelines.logs.values())[-1][-3000:]
        assert "Pusher: succeeded" in first.stderr
        lenient = ("--set", "gate.max_mean_iou_drop=1.0", "--set", "gate.max_plausible_drop=1.0")
        second = submit(cloud_project, google, "--set", "seed=1", *lenient)
        assert second.returncode == 0, second.stderr + list(pipelines.logs.values())[-1][-3000:]
    assert pipelines.reused == ["ExampleGen", "ImportSchemaGen", "StatisticsGen", "ExampleValidator", "Transform"]
    blessings = [artifact for artifact in pipelines.artifacts if artifact["key"] == "blessing"]
    assert [blessing["metadata"]["blessed"] for blessing in blessings] == [1, 1]
    models = [artifact["uri"] for artifact in pipelines.artifacts if artifact["key"] == "model"]
    assert blessings[1]["metadata"]["baseline_model"] == models[0], "the second model did not meet the first"
    [model_versions] = google.vertex.store.models.values()
    assert [version.version_id for version in model_versions] == ["1", "2"]
    [endpoint] = google.vertex.store.endpoints.values()
    assert [one.model_version_id for one in endpoint.deployed_models] == ["2"]
    assert google.vertex.most_deployed == 2
    names = google.storage.names("bucket")
    assert any(name.endswith("Format-Serving/saved_model.pb") for name in names)
    assert any("/staged/" in name and name.endswith("schema.pbtxt") for name in names)
    assert not (cloud_project.folder / "gs:").exists(), "something took an address for a path"
    assert not google.proxy.refused


def test_a_refused_submission_is_one_sentence(cloud_project: Project, google: LoopbackGoogle) -> None:
    refused = Fault(grpc.StatusCode.PERMISSION_DENIED, "aiplatform.pipelineJobs.create denied")
    google.vertex.faults["CreatePipelineJob"] = refused
    done = submit(cloud_project, google)
    assert done.returncode == 2
    sentence = done.stderr.strip().splitlines()[-1]
    assert sentence.startswith("segpipe: submitting the pipeline failed: permission denied (")
    assert "gcloud projects add-iam-policy-binding my-project" in sentence
    assert "Traceback" not in done.stderr
