"""Submits a config as a Vertex AI pipeline job: uploads its files and, if asked, follows it to the end."""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from google.api_core.exceptions import PreconditionFailed
from google.cloud import aiplatform, storage  # type: ignore[attr-defined]
from google.cloud.aiplatform_v1 import PipelineState, PipelineTaskDetail

from segpipe.config import Config
from segpipe.errors import RunError
from segpipe.pipeline.vertex.errors import in_a_sentence
from segpipe.pipeline.vertex.job import compile_job
from segpipe.pipeline.vertex.staging import stage

Told = Callable[[str], None]

_DONE = PipelineState.PIPELINE_STATE_SUCCEEDED
_ENDED = (
    _DONE,
    PipelineState.PIPELINE_STATE_FAILED,
    PipelineState.PIPELINE_STATE_CANCELLED,
    PipelineState.PIPELINE_STATE_PAUSED,
)


def submit(config: Config, on_dataflow: bool, enable_cache: bool = True) -> aiplatform.PipelineJob:
    """Uploads what the run needs, compiles it and starts it.

    Raises:
      UserError: the config is not ready for Google Cloud, or Google refused something.
      RunError: Google failed.
    """
    vertex = config.vertex
    staged = stage(config)
    with in_a_sentence("uploading to Cloud Storage", vertex):
        client = storage.Client(project=vertex.project)
        for local, address in staged.uploads:
            _upload(client, local, address)
    job_json = compile_job(config, on_dataflow, enable_cache)
    with in_a_sentence("submitting the pipeline", vertex), tempfile.TemporaryDirectory() as folder:
        aiplatform.init(project=vertex.project, location=vertex.region)
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job_json), encoding="utf-8")
        job = aiplatform.PipelineJob(
            display_name=config.name, template_path=str(path), labels={"segpipe-run": config.name}
        )
        job.submit(service_account=vertex.service_account or None)
    return job


def address(job: aiplatform.PipelineJob) -> str:
    """The job's page in Google's console."""
    _, project, _, region, _, run = job.resource_name.split("/")
    return f"https://console.cloud.google.com/vertex-ai/locations/{region}/pipelines/runs/{run}?project={project}"


def wait(job: aiplatform.PipelineJob, config: Config, told: Told, interval_s: float = 30.0) -> None:
    """Follows a job to its end.

    Args:
      job: that `submit` returned.
      config: the run.
      told: is given one line for each change.
      interval_s: between two looks, at most; the first are a second apart, as a job that is refused ends at once.

    Raises:
      RunError: a step failed; the sentence names it and says where its log is.
    """
    seen: dict[str, str] = {}
    pause_s = min(1.0, interval_s)
    while True:
        with in_a_sentence("asking for the pipeline's state", config.vertex):
            state = job.state
            tasks = list(job.gca_resource.job_detail.task_details)
        for task in tasks:
            name = PipelineTaskDetail.State(task.state).name.lower().replace("_", " ")
            if seen.get(task.task_name) != name:
                seen[task.task_name] = name
                told(f"{task.task_name}: {name}")
        if state in _ENDED:
            break
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, interval_s)
    if state != _DONE:
        raise RunError(_why(state, tasks, address(job)))


def _upload(client: storage.Client, local: Path, uri: str) -> None:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    try:
        client.bucket(bucket).blob(name).upload_from_filename(str(local), if_generation_match=0, timeout=300)
    except PreconditionFailed:  # The address holds the content's digest: it is there already.
        return


def _why(state: PipelineState, tasks: list[PipelineTaskDetail], page: str) -> str:
    failed = [task for task in tasks if task.state == PipelineTaskDetail.State.FAILED]
    if not failed:
        return f"the pipeline ended as {state.name.removeprefix('PIPELINE_STATE_').lower()}; see {page}"
    reason = (failed[0].error.message.strip().splitlines() or ["no reason given"])[0][:300]
    return f"step {failed[0].task_name} failed: {reason}. Its log: {page}"
