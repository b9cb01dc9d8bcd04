"""Reads ML Metadata: which execution wrote what, and what a killed run left open."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

_DONE_STATES = (pb.Execution.COMPLETE, pb.Execution.CACHED)
_OPEN_STATES = (pb.Execution.NEW, pb.Execution.RUNNING)


@dataclass(frozen=True)
class Output:
    """One artifact that a component wrote.

    Attributes:
      id: of ML Metadata.
      uri: its folder or file.
      properties: what the component noted on it, as in {"blessed": 1}.
    """

    id: int
    uri: str
    properties: Mapping[str, int | float | str]


def open_store(path: Path) -> MetadataStore:
    """Opens, or makes, the sqlite store of a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = pb.ConnectionConfig()
    connection.sqlite.filename_uri = str(path)
    return MetadataStore(connection)


def outputs(store: MetadataStore, execution_id: int) -> dict[str, Output]:
    """The artifacts that an execution wrote (or that the cache gave it), by the output's name."""
    events = [
        event
        for event in store.get_events_by_execution_ids([execution_id])
        if event.type in (pb.Event.OUTPUT, pb.Event.INTERNAL_OUTPUT)
    ]
    artifacts = {artifact.id: artifact for artifact in store.get_artifacts_by_id([e.artifact_id for e in events])}
    return {
        event.path.steps[0].key: _output(artifacts[event.artifact_id])
        for event in events
        if event.artifact_id in artifacts
    }


def outputs_of_run(store: MetadataStore, started: str) -> dict[str, dict[str, Output]]:
    """What the nodes of one run wrote, or the cache gave them, by node; a node that did not finish is left out.

    Args:
      store: of the run's folder, which keeps every run that went on there.
      started: local time in ISO 8601, to the second, as summary.json has it; the first run from then on is meant, whose
        name in ML Metadata is the time at which its first node started.
    """
    runs = [run for run in store.get_contexts_by_type("pipeline_run") if run.name >= started]
    if not runs:
        return {}
    executions = store.get_executions_by_context(min(runs, key=lambda run: run.name).id)
    return {
        _node(store, execution.id): outputs(store, execution.id)
        for execution in sorted(executions, key=lambda execution: execution.id)
        if execution.last_known_state in _DONE_STATES
    }


def close_interrupted(store: MetadataStore, pipeline_root: Path) -> list[str]:
    """Marks the executions that a killed run left open as failed and deletes what they had half written.

    Only to be called while no other run holds the folder.

    Returns:
      The nodes that they were of, as in ["Trainer"].
    """
    interrupted = [e for e in store.get_executions() if e.last_known_state in _OPEN_STATES]
    for execution in interrupted:
        for folder in [
            *pipeline_root.glob(f"*/*/{execution.id}"),
            *pipeline_root.glob(f"*/.system/*/{execution.id}"),
        ]:
            shutil.rmtree(folder, ignore_errors=True)
        execution.last_known_state = pb.Execution.FAILED
    if interrupted:
        store.put_executions(interrupted)
    return [_node(store, execution.id) for execution in interrupted]


def _node(store: MetadataStore, execution_id: int) -> str:
    """The node of an execution; TFX names the context of it <pipeline>.<node>."""
    names = {context.type: context.name for context in store.get_contexts_by_execution(execution_id)}
    return names["node"].rpartition(".")[2]


def _output(artifact: pb.Artifact) -> Output:
    properties = {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in [*artifact.properties.items(), *artifact.custom_properties.items()]
        if value.WhichOneof("value")
    }
    return Output(artifact.id, artifact.uri, properties)
