"""Reads from ML Metadata what made a model: data, schema, code and arguments, and where its results lie."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

from segpipe.errors import UserError
from segpipe.pipeline.local import lineage

SCHEMA_DIGEST = "schema_digest"
"""Argument of ImportSchemaGen: the first 16 hexadecimal digits of the SHA-256 of the file."""

_INPUTS = (pb.Event.INPUT, pb.Event.DECLARED_INPUT, pb.Event.INTERNAL_INPUT)
_OUTPUTS = (pb.Event.OUTPUT, pb.Event.DECLARED_OUTPUT)  # A Resolver's are internal: it finds models and makes none.
_DONE = pb.Execution.COMPLETE
_DIGESTS = ("source_digest", "code_digest", SCHEMA_DIGEST)


@dataclass(frozen=True)
class Step:
    """One execution that had a part in the model.

    Attributes:
      component: as in "Trainer".
      execution_id: of ML Metadata.
      at_s: Unix time of its end.
      inputs: URI of each input artifact by "<input>".
      outputs: likewise.
      digests: of the source, of the code that ran and of the schema, where the component notes them.
    """

    component: str
    execution_id: int
    at_s: float
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    digests: Mapping[str, str]


@dataclass(frozen=True)
class Pushed:
    """Where a run keeps what belongs to a model that it pushed.

    Attributes:
      evaluation: folder of what judged it.
      examples: folder of its data, with the splits.
      model_run: folder of its training's weights and history.
    """

    evaluation: str
    examples: str
    model_run: str


def of_model(metadata_path: Path, model_id: int | None = None) -> list[Step]:
    """The steps that led to a model, in the order in which they ran.

    Args:
      metadata_path: the run's metadata.db.
      model_id: of the Model artifact; the one that was made last when left out.

    Raises:
      UserError: there is no such file, or no model in it.
    """
    if not metadata_path.is_file():
        raise UserError(f"no {metadata_path}; only a run on this machine keeps its lineage there.")
    store = lineage.open_store(metadata_path)
    models = [model.id for model in store.get_artifacts_by_type("Model")]
    if not models:
        raise UserError(f"{metadata_path} knows no model; the run has not come to the end of its training.")
    return _upstream(store, model_id or max(models))


def of_pushed(metadata_path: Path, saved_model: Path) -> Pushed | None:
    """What belongs to a version in the serving folder; None where this run did not push it.

    Args:
      metadata_path: the run's metadata.db.
      saved_model: the version's folder.
    """
    return _pushed(metadata_path, lambda artifact: _is_at(artifact, saved_model))


def examples_of(run_dir: Path, version: str) -> Path | None:
    """The Examples that a pushed version was made from, in a run's folder that may be a copy; None where it is silent.

    The newest ones may be of a later run, which read other pictures and was refused.

    Args:
      run_dir: the run's folder, with metadata.db and pipeline/.
      version: name of its folder in the serving folder.
    """
    pushed = _pushed(
        run_dir / "metadata.db", lambda artifact: Path(_text(artifact, "pushed_destination")).name == version
    )
    found = run_dir.glob(f"pipeline/*/examples/{Path(pushed.examples).name}") if pushed else ()
    return next(iter(found), None)


def _pushed(metadata_path: Path, is_meant: Callable[[pb.Artifact], bool]) -> Pushed | None:
    if not metadata_path.is_file():
        return None
    store = lineage.open_store(metadata_path)
    pushed = [artifact for artifact in store.get_artifacts_by_type("PushedModel") if is_meant(artifact)]
    if not pushed:
        return None
    made_by = {uri: step for step in _upstream(store, pushed[-1].id) for uri in step.outputs.values()}
    pusher = made_by[pushed[-1].uri]
    judged, trained = made_by[pusher.inputs["model_blessing"]], made_by[pusher.inputs["model"]]
    return Pushed(judged.outputs["evaluation"], judged.inputs["examples"], trained.outputs["model_run"])


def _is_at(pushed: pb.Artifact, saved_model: Path) -> bool:
    destination = _text(pushed, "pushed_destination")
    return bool(destination) and Path(destination).resolve() == saved_model.resolve()


def _text(artifact: pb.Artifact, name: str) -> str:
    return str(artifact.custom_properties[name].string_value)


def _upstream(store: MetadataStore, artifact_id: int) -> list[Step]:
    types = {one.id: one.name.rsplit(".", 1)[-1] for one in store.get_execution_types()}
    steps: dict[int, Step] = {}
    waiting, seen = [artifact_id], set()
    while waiting:
        made_by = [event.execution_id for event in store.get_events_by_artifact_ids(waiting) if event.type in _OUTPUTS]
        waiting = []
        for execution in store.get_executions_by_id(sorted(set(made_by) - set(steps))):
            if execution.last_known_state != _DONE:  # A cached execution has the outputs of the one that ran.
                continue
            events = store.get_events_by_execution_ids([execution.id])
            uris = {a.id: a.uri for a in store.get_artifacts_by_id([event.artifact_id for event in events])}
            inputs = [event for event in events if event.type in _INPUTS]
            steps[execution.id] = Step(
                component=types[execution.type_id],
                execution_id=execution.id,
                at_s=execution.last_update_time_since_epoch / 1000,
                inputs={event.path.steps[0].key: uris[event.artifact_id] for event in inputs},
                outputs={e.path.steps[0].key: uris[e.artifact_id] for e in events if e.type in _OUTPUTS},
                digests=_digests(execution),
            )
            waiting += [event.artifact_id for event in inputs if event.artifact_id not in seen]
            seen.update(waiting)
    return [steps[execution_id] for execution_id in sorted(steps)]


def _digests(execution: pb.Execution) -> dict[str, str]:
    arguments: dict[str, Any] = {
        name: value.string_value
        for name, value in [*execution.properties.items(), *execution.custom_properties.items()]
        if value.WhichOneof("value") == "string_value"
    }
    # The Trainer and Transform take what TFX does not know in one JSON argument.
    arguments |= json.loads(arguments.get("custom_config") or "{}") or {}
    return {name: str(arguments[name]) for name in _DIGESTS if name in arguments}
