"""Reads the verdict of a run that ended on Vertex AI."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.cloud import aiplatform, storage  # type: ignore[attr-defined]
from google.cloud.aiplatform_v1 import PipelineTaskDetail

from segpipe import schema
from segpipe.cicd import summary, verdict
from segpipe.config import Config
from segpipe.config.vertex import Vertex
from segpipe.errors import RunError, UserError
from segpipe.evaluate import evidence
from segpipe.pipeline.vertex.errors import in_a_sentence

_PAGE = re.compile(r".*/locations/(?P<region>[\w-]+)/pipelines/runs/(?P<run>[\w-]+)\?project=(?P<project>[\w:.-]+)")


def read(page: str, config: Config, change: verdict.Change, folder: Path) -> verdict.Verdict:
    """Words what the Evaluator of a run on Vertex AI decided.

    Args:
      page: address of the run, as `segpipe submit` prints it.
      config: that ran.
      change: its file and the commit.
      folder: for a copy of what the Evaluator left.

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
        tasks = list(job.task_details)
        _download(storage.Client(project), _evaluation(tasks, page), folder)
    judged = evidence.read(folder)
    ran = {
        "name": config.name,
        "status": "done",
        "components": {task.task_name: _component(task) for task in tasks if task.end_time},
        "pictures": {schema.TEST: len(judged.pictures)},
        **evidence.numbers(judged, folder, config.gate.confidence, config.data.classes),
    }
    return verdict.judge(change, summary.of(ran), None)


def _evaluation(tasks: Iterable[PipelineTaskDetail], page: str) -> str:
    """The gs:// folder of the run's evaluation."""
    uris = [
        artifact.uri
        for task in tasks
        if task.task_name == "Evaluator" and "evaluation" in task.outputs
        for artifact in task.outputs["evaluation"].artifacts
    ]
    if not uris:
        raise RunError(f"no model was judged in this run; see {page}")
    return uris[-1]


def _component(task: PipelineTaskDetail) -> dict[str, Any]:
    done = task.state == PipelineTaskDetail.State.SUCCEEDED  # SKIPPED where Vertex AI reused an earlier run's.
    return {"status": "done" if done else "reused", "seconds": (task.end_time - task.start_time).total_seconds()}


def _download(client: storage.Client, uri: str, folder: Path) -> None:
    name, _, prefix = uri.removeprefix("gs://").partition("/")
    bucket = client.bucket(name)
    for listed in client.list_blobs(bucket, prefix=f"{prefix}/"):
        path = folder / listed.name.removeprefix(f"{prefix}/")
        if not listed.name.endswith("/"):
            path.parent.mkdir(parents=True, exist_ok=True)
            bucket.blob(listed.name).download_to_filename(str(path))
