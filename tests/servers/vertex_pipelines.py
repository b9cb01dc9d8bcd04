"""Vertex AI Pipelines and Training on loopback: a submitted job in, its containers' commands run as processes here.

It does what the service does between the containers: resolves parameters and artifacts, hands each step its
ExecutorInput, reads the ExecutorOutput that the step left on gs://, reuses a step whose command and inputs are those of
an earlier one, and keeps the artifacts for later runs' resolvers.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.cloud import aiplatform_v1 as v1
from google.protobuf import json_format

from tests import forked

from .google_cloud import LoopbackGoogle

Detail = v1.PipelineTaskDetail


@dataclass
class LoopbackPipelines:
    """Runs jobs that are submitted to `google.vertex`.

    Attributes:
      google: the servers.
      mount: folder that stands for /gcs, where Google mounts the buckets.
      artifacts: of all runs, oldest first: what the metadata store holds.
      logs: output of each step's process, by task.
      reused: tasks that an earlier run answered, in order.
    """

    google: LoopbackGoogle
    mount: Path
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    reused: list[str] = field(default_factory=list)
    _done: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __enter__(self) -> "LoopbackPipelines":
        self.google.vertex.runs, self.google.vertex.trains = self._run, self._train
        return self

    def __exit__(self, *_: object) -> None:
        self.google.vertex.runs = self.google.vertex.trains = None

    def _run(self, job: v1.PipelineJob) -> None:
        spec = json_format.MessageToDict(v1.PipelineJob.pb(job).pipeline_spec)
        job.state = v1.PipelineState.PIPELINE_STATE_RUNNING
        outputs: dict[str, dict[str, Any]] = {}
        details = []
        for name in _in_order(spec["root"]["dag"]["tasks"]):
            detail = Detail(task_name=name, state=Detail.State.RUNNING)
            try:
                outputs[name] = self._step(spec, name, outputs, job.name)
                detail.state = Detail.State.SUCCEEDED
            except Exception as error:  # As the service: the step failed, and so has the job.
                detail.state, detail.error.message = Detail.State.FAILED, str(error)
            details.append(detail)
            job.job_detail.task_details = details
            if detail.state == Detail.State.FAILED:
                job.state = v1.PipelineState.PIPELINE_STATE_FAILED
                return
        job.state = v1.PipelineState.PIPELINE_STATE_SUCCEEDED

    def _step(self, spec: dict[str, Any], name: str, outputs: dict[str, Any], job: str) -> dict[str, Any]:
        task = spec["root"]["dag"]["tasks"][name]
        component = spec["components"][task["componentRef"]["name"]]
        executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
        artifacts = {
            key: outputs[given["taskOutputArtifact"]["producerTask"]].get(
                given["taskOutputArtifact"]["outputArtifactKey"]
            )
            for key, given in task.get("inputs", {}).get("artifacts", {}).items()
        }
        if "resolver" in executor:
            return self._resolve(executor["resolver"], artifacts)
        values = task.get("inputs", {}).get("parameters", {})
        folder = f"{spec.get('defaultPipelineRoot', 'gs://bucket/runs')}/{job.rsplit('/', 1)[-1]}/{name}"
        told = {
            "inputs": {
                "parameterValues": {key: value["runtimeValue"]["constant"] for key, value in values.items()},
                "artifacts": {key: {"artifacts": [value]} for key, value in artifacts.items() if value},
            },
            "outputs": {
                "artifacts": {
                    key: {"artifacts": [self._new(job, name, key, output["artifactType"], folder)]}
                    for key, output in component["outputDefinitions"]["artifacts"].items()
                },
                "outputFile": f"{folder}/executor_output.json",
            },
        }
        container = executor["container"]
        same = json.dumps([container, told["inputs"]], sort_keys=True)
        if task.get("cachingOptions", {}).get("enableCache") and same in self._done:
            self.reused.append(name)
            return self._done[same]
        arguments = [argument.replace("{{$}}", json.dumps(told)) for argument in container["args"]]
        self._process(name, [*container["command"], *arguments])
        bucket, _, key = told["outputs"]["outputFile"].removeprefix("gs://").partition("/")
        written = json.loads(self.google.storage.get(bucket, key))["artifacts"]
        promised = told["outputs"]["artifacts"]
        # The step says what it learned of an artifact; its name and type are the store's.
        made = {key: {**value["artifacts"][0], **_kept(promised[key])} for key, value in written.items()}
        self.artifacts += [{"key": key, **artifact} for key, artifact in made.items()]
        self._done[same] = made
        return made

    def _new(self, job: str, task: str, key: str, kind: dict[str, str], folder: str) -> dict[str, Any]:
        number = len(self.artifacts)
        return {
            "name": f"{job.split('/pipelineJobs/')[0]}/metadataStores/default/artifacts/{task}-{key}-{number}",
            "type": kind,
            "uri": f"{folder}/{key}",
        }

    def _resolve(self, resolver: dict[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The two queries into which TFX compiles the latest blessed model."""
        [(key, query)] = resolver["outputArtifactQueries"].items()
        wanted = query["filter"]
        for artifact in reversed(self.artifacts):
            title = re.search(r"title: (\S+)", artifact["type"]["instanceSchema"])
            if f'schema_title="{title and title[1]}"' not in wanted:
                continue
            metadata = artifact.get("metadata", {})
            if "blessed" in wanted and metadata.get("blessed") == 1:
                return {key: artifact}
            blessing = inputs.get("input")
            if blessing and artifact["name"] == blessing["metadata"]["current_model_id"]:
                return {key: artifact}
        return {}

    def _train(self, job: v1.CustomJob) -> None:
        [pool, *_] = job.job_spec.worker_pool_specs
        try:
            self._process("Training", list(pool.container_spec.command))
        except RuntimeError:
            job.state = v1.JobState.JOB_STATE_FAILED

    def _process(self, name: str, command: list[str]) -> None:
        command = [sys.executable if word == "python" else word for word in command]
        command = [word.replace("/gcs/", f"{self.mount}/") for word in command]
        self.mount.mkdir(exist_ok=True)
        done = forked.run(command, self.google.process_environment(), self.mount)
        self.logs[name] = done.stdout + done.stderr
        if done.returncode:
            raise RuntimeError(self.logs[name][-1500:])


def _kept(promised: dict[str, Any]) -> dict[str, Any]:
    [artifact] = promised["artifacts"]
    return {"name": artifact["name"], "type": artifact["type"]}


def _in_order(tasks: dict[str, Any]) -> Iterator[str]:
    done: set[str] = set()
    while waiting := [name for name in sorted(tasks) if name not in done]:
        name = next(name for name in waiting if _before(tasks[name]) <= done)
        done.add(name)
        yield name


def _before(task: dict[str, Any]) -> set[str]:
    inputs = task.get("inputs", {}).get("artifacts", {}).values()
    return {*task.get("dependentTasks", []), *(given["taskOutputArtifact"]["producerTask"] for given in inputs)}
