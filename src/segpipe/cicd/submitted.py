"""The page of a run that came to its end on Vertex AI in, its verdict out."""

import re

from google.cloud import aiplatform, storage  # type: ignore[attr-defined]

from segpipe.cicd import summary, verdict
from segpipe.config import Vertex
from segpipe.errors import RunError, UserError
from segpipe.pipeline.evaluator import VERDICT_FILE
from segpipe.pipeline.vertex_errors import in_a_sentence

_PAGE = re.compile(r".*/locations/(?P<region>[\w-]+)/pipelines/runs/(?P<run>[\w-]+)\?project=(?P<project>[\w:.-]+)")


def read(page: str, change: verdict.Change) -> verdict.Verdict:
    """Words what the Evaluator of a run on Vertex AI decided.

    Args:
      page: address of the run, as `segpipe submit` prints it.
      change: the config and the commit that ran.

    Raises:
      UserError: that is no such address, or Google refused something.
      RunError: the run judged no model.
    """
    parts = _PAGE.fullmatch(page.strip())
    if not parts:
        raise UserError(f"the address of a run on Vertex AI is wanted, as `segpipe submit` prints it; got {page!r}.")
    project, region = parts["project"], parts["region"]
    with in_a_sentence("asking for the run", Vertex(project=project, region=region)):
        job = aiplatform.PipelineJob.get(parts["run"], project=project, location=region)
        folders = [
            artifact.uri
            for task in job.task_details
            if task.task_name == "Evaluator" and "evaluation" in task.outputs
            for artifact in task.outputs["evaluation"].artifacts
        ]
        if not folders:
            raise RunError(f"no model was judged in this run; see {page}")
        text = storage.Blob.from_uri(f"{folders[-1]}/{VERDICT_FILE}", storage.Client(project)).download_as_bytes()
    return verdict.judge(change, summary.of_verdict(parts["run"], text), None)
