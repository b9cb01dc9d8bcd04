import json
import re

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb
from typer.testing import CliRunner

from segpipe.cli import runs
from segpipe.errors import UserError
from segpipe.pipeline.local import lineage, provenance


class Store:
    """Writes executions as TFX does."""

    def __init__(self, path):
        self._store = lineage.open_store(path)

    def artifact(self, kind, uri, **properties):
        type_id = self._store.put_artifact_type(pb.ArtifactType(name=kind))
        artifact = pb.Artifact(type_id=type_id, uri=uri)
        for name, value in properties.items():
            artifact.custom_properties[name].string_value = value
        return self._store.put_artifacts([artifact])[0]

    def execution(self, component, inputs, outputs, state=pb.Execution.COMPLETE, output=pb.Event.OUTPUT, **arguments):
        type_id = self._store.put_execution_type(pb.ExecutionType(name=f"segpipe.pipeline.{component}"))
        execution = pb.Execution(type_id=type_id, last_known_state=state)
        for name, value in arguments.items():
            execution.custom_properties[name].string_value = value
        [execution_id] = self._store.put_executions([execution])
        for artifacts, kind in ((inputs, pb.Event.INPUT), (outputs, output)):
            for key, artifact_id in artifacts.items():
                event = pb.Event(artifact_id=artifact_id, execution_id=execution_id, type=kind)
                event.path.steps.add(key=key)
                self._store.put_events([event])
        return execution_id


def _write_run(folder, code, schema):
    """A run in which an old training, a cached execution and a Resolver must not be taken for the model's makers."""
    folder.mkdir(parents=True)
    store = Store(folder / "metadata.db")
    examples = store.artifact("Examples", "examples/1")
    unused = store.artifact("Examples", "examples/0")
    old, model = store.artifact("Model", "model/1"), store.artifact("Model", "model/2")
    store.execution("ExampleGen", {}, {"examples": unused}, source_digest="old")
    store.execution("Trainer", {"examples": unused}, {"model": old})
    store.execution("ExampleGen", {}, {"examples": examples}, source_digest="data", code_digest="gen")
    store.execution("ExampleGen", {}, {"examples": examples}, state=pb.Execution.CACHED, source_digest="data")
    imported = store.artifact("Schema", "schema/1")
    store.execution("ImportSchemaGen", {}, {"schema": imported}, schema_digest=schema)
    custom = json.dumps({"code_digest": code, "config": "{}"})
    store.execution("Trainer", {"examples": examples, "schema": imported}, {"model": model}, custom_config=custom)
    store.execution("Resolver", {}, {"model": model}, output=pb.Event.INTERNAL_OUTPUT)
    summary = {
        "name": folder.name,
        "started": "2026-11-24T05:00:00",
        "status": "done",
        "seconds": 9.0,
        "blessed": False,
        "metrics": {"candidate": {"mean_iou": 0.5}},
        "rules": [{"passed": False, "sentence": "mean IoU 0.500 is below the floor of 0.600."}],
        "config": {"train": {"epochs": len(code)}},
    }
    (folder / "summary.json").write_text(json.dumps(summary))


@pytest.fixture
def runs_folder(tmp_path):
    _write_run(tmp_path / "a", "code", "classes of a")
    _write_run(tmp_path / "b", "other code", "classes of b")
    return tmp_path


def test_only_what_made_the_latest_model_is_listed_in_order(runs_folder):
    steps = provenance.of_model(runs_folder / "a" / "metadata.db")
    assert [step.component for step in steps] == ["ExampleGen", "ImportSchemaGen", "Trainer"]
    assert steps[0].digests == {"source_digest": "data", "code_digest": "gen"}
    assert steps[1].digests == {"schema_digest": "classes of a"}
    assert steps[2].digests == {"code_digest": "code"}
    assert steps[2].inputs == {"examples": "examples/1", "schema": "schema/1"}
    assert steps[2].outputs == {"model": "model/2"}


def test_an_earlier_model_has_its_own_makers(runs_folder):
    steps = provenance.of_model(runs_folder / "a" / "metadata.db", model_id=3)
    assert [step.digests for step in steps] == [{"source_digest": "old"}, {}]


def test_no_metadata_and_no_model_are_told_apart(tmp_path):
    with pytest.raises(UserError, match="keeps its lineage"):
        provenance.of_model(tmp_path / "metadata.db")
    Store(tmp_path / "metadata.db").artifact("Examples", "examples/1")
    with pytest.raises(UserError, match="knows no model"):
        provenance.of_model(tmp_path / "metadata.db")


def _call(folder, *arguments):
    result = CliRunner().invoke(runs.app, ["--in", str(folder), *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_show_prints_scores_verdict_and_lineage(runs_folder):
    text = _call(runs_folder, "show", "a")
    assert "✗ mean IoU 0.500 is below the floor of 0.600." in text
    assert re.search("ImportSchemaGen +[0-9]+ +– +classes of a +–", text)
    shown = json.loads(_call(runs_folder, "show", "a", "--json"))
    assert [step["component"] for step in shown["lineage"]] == ["ExampleGen", "ImportSchemaGen", "Trainer"]


def test_compare_lists_what_differs(runs_folder):
    rows = json.loads(_call(runs_folder, "compare", "a", str(runs_folder / "b"), "--json"))
    assert rows["config"] == [{"name": "train.epochs", "first": 4, "second": 10}]
    assert rows["lineage"] == [
        {"name": "ImportSchemaGen schema_digest", "first": "classes of a", "second": "classes of b"},
        {"name": "Trainer code_digest", "first": "code", "second": "other code"},
    ]
    assert "lineage: the same" in _call(runs_folder, "compare", "a", "a")


def test_the_list_is_what_runs_alone_prints(runs_folder):
    assert _call(runs_folder).splitlines()[0].split() == ["run", "when", "status", "seconds", "mean", "IoU", "blessed"]


def test_no_such_run_is_named(runs_folder):
    with pytest.raises(UserError, match="zzz is no run"):
        _call(runs_folder, "show", "zzz")


def test_watch_finds_the_examples_of_the_deployed_version_wherever_its_run_was_copied_to(tmp_path):
    store = Store(tmp_path / "metadata.db")
    for number in (1, 2):  # The second run was refused; the first is deployed.
        (tmp_path / f"pipeline/ExampleGen/examples/{number}/Split-train").mkdir(parents=True)
        examples = store.artifact("Examples", f"/elsewhere/pipeline/ExampleGen/examples/{number}")
        store.execution("ExampleGen", {}, {"examples": examples})
        model, run = (store.artifact(kind, f"/elsewhere/{kind}/{number}") for kind in ("Model", "ModelRun"))
        store.execution("Trainer", {"examples": examples}, {"model": model, "model_run": run})
        blessing, evaluation = (store.artifact(kind, f"/elsewhere/{kind}/{number}") for kind in ("Blessing", "Eval"))
        judged = {"examples": examples, "model": model}
        store.execution("Evaluator", judged, {"blessing": blessing, "evaluation": evaluation})
        if number == 1:
            pushed = store.artifact("PushedModel", "/elsewhere/pushed/1", pushed_destination="/elsewhere/serving/1764")
            store.execution("Pusher", {"model": model, "model_blessing": blessing}, {"pushed_model": pushed})
    found = provenance.examples_of(tmp_path, "1764")
    assert found == tmp_path / "pipeline/ExampleGen/examples/1"
    assert provenance.examples_of(tmp_path, "1765") is None
    assert provenance.examples_of(tmp_path / "none", "1764") is None
