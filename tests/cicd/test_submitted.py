"""The verdict of a run on Vertex AI, read by the real client from servers on loopback."""

import json

import pytest
from google.cloud import aiplatform_v1 as v1

from segpipe.cicd import submitted
from segpipe.cicd.verdict import Change
from segpipe.errors import RunError, UserError
from tests.cicd import judged
from tests.pipeline.components.test_evaluator import _config

PAGE = "https://console.cloud.google.com/vertex-ai/locations/us-central1/pipelines/runs/demo-1?project=my-project"
CHANGE = Change("configs/vertex.toml", "a" * 40, page=PAGE)


@pytest.fixture
def finished(google):
    """Puts a run that came to its end there; its Evaluator left what is in this folder, or nothing."""

    def finished(folder):
        name = "projects/my-project/locations/us-central1/pipelineJobs/demo-1"
        google.vertex.store.jobs[name] = v1.PipelineJob(name=name)
        judged.finish(google, google.vertex.store.jobs[name], folder)

    google.storage.make_bucket("bucket")
    return finished


def test_the_verdict_is_as_full_as_that_of_a_run_on_the_runner(finished, evaluation, tmp_path):
    finished(evaluation)
    said = submitted.read(PAGE, _config(), CHANGE, tmp_path / "evaluation")
    assert (said.conclusion, said.blessed) == ("success", True)
    assert "against the champion" in said.title
    assert "- ✅ mean IoU" in said.markdown
    [overall] = [line for line in said.markdown.splitlines() if line.startswith("| mean IoU |")]
    assert overall.count(" … ") == 2  # The intervals of the candidate and of the difference.
    assert "In brackets: 95 % intervals" in said.markdown
    assert "| Evaluator | 42.0 | – |" in said.markdown
    assert "| Trainer |" not in said.markdown  # Its result was an earlier run's.

    assert f"`segpipe ci submitted '{PAGE}' --config configs/vertex.toml`" in said.markdown
    assert "champion: the last blessed model" in said.markdown

    said.write(tmp_path)
    pictures = json.loads((tmp_path / "verdict.json").read_text())["pictures"]
    assert [one["file"] for one in pictures] == ["worst-1.jpg", "worst-2.jpg", "worst-3.jpg"]
    assert (tmp_path / "worst-1.jpg").read_bytes() == (evaluation / "worst/1.jpg").read_bytes()


def test_a_run_that_judged_nothing_says_so(finished, tmp_path):
    finished(None)
    with pytest.raises(RunError, match="no model was judged in this run; see https://console"):
        submitted.read(PAGE, _config(), CHANGE, tmp_path)


def test_another_address_is_refused(google, tmp_path):
    with pytest.raises(UserError, match="the address of a run on Vertex AI is wanted"):
        submitted.read("https://example.org", _config(), CHANGE, tmp_path)


def test_a_run_that_is_not_there_says_where_to_look(google, tmp_path):
    with pytest.raises(UserError, match=r"asking for the run failed: .*check vertex.project \(my-project\)"):
        submitted.read(PAGE, _config(), CHANGE, tmp_path)
