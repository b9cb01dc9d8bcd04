"""The verdict of a run on Vertex AI, read by the real client from servers on loopback."""

import json

import pytest
from google.cloud import aiplatform_v1 as v1

from segpipe.cicd import submitted
from segpipe.cicd.verdict import Change
from segpipe.errors import RunError, UserError

PAGE = "https://console.cloud.google.com/vertex-ai/locations/us-central1/pipelines/runs/demo-1?project=my-project"
CHANGE = Change("configs/vertex.toml", "a" * 40)


@pytest.fixture
def finished(google):
    """Puts a run that came to its end there; its Evaluator wrote this verdict, or none."""

    def finished(verdict):
        task = v1.PipelineTaskDetail(task_name="Evaluator", state=v1.PipelineTaskDetail.State.SUCCEEDED)
        if verdict:
            google.storage.put("bucket", "runs/demo-1/Evaluator/evaluation/verdict.json", json.dumps(verdict).encode())
            where = v1.Artifact(uri="gs://bucket/runs/demo-1/Evaluator/evaluation")
            task.outputs["evaluation"] = v1.PipelineTaskDetail.ArtifactList(artifacts=[where])
        name = "projects/my-project/locations/us-central1/pipelineJobs/demo-1"
        job = v1.PipelineJob(name=name, state=v1.PipelineState.PIPELINE_STATE_SUCCEEDED)
        job.job_detail.task_details = [task]
        google.vertex.store.jobs[name] = job

    google.storage.make_bucket("bucket")
    return finished


def test_what_the_evaluator_decided_is_worded(finished):
    rule = {"name": "floor", "value": 0.4, "limit": 0.5, "passed": False, "sentence": "mean IoU 0.400 is too low."}
    finished({"blessed": False, "override": "", "reasons": [], "rules": [rule]})
    judged = submitted.read(PAGE, CHANGE)
    assert (judged.conclusion, judged.title) == ("failure", "Not blessed")
    assert "- ❌ mean IoU 0.400 is too low." in judged.markdown
    assert "| candidate |" not in judged.markdown


def test_a_run_that_judged_nothing_says_so(finished):
    finished(None)
    with pytest.raises(RunError, match="no model was judged in this run; see https://console"):
        submitted.read(PAGE, CHANGE)


def test_another_address_is_refused(google):
    with pytest.raises(UserError, match="the address of a run on Vertex AI is wanted"):
        submitted.read("https://example.org", CHANGE)


def test_a_run_that_is_not_there_says_where_to_look(google):
    with pytest.raises(UserError, match=r"asking for the run failed: .*check vertex.project \(my-project\)"):
        submitted.read(PAGE, CHANGE)
