"""`segpipe report` refuses in a sentence what it cannot report; `tests/pipeline/test_run.py` reports a whole run."""

import json

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from segpipe.cli.report import report
from segpipe.errors import UserError
from segpipe.pipeline.local import lineage

SUMMARY = {"started": "2026-11-24T05:00:00", "error": None}
NODES = ("ExampleGen", "StatisticsGen", "Trainer", "Evaluator")


class Store:
    """Writes runs and executions as TFX does."""

    def __init__(self, folder):
        self.store = lineage.open_store(folder / "metadata.db")
        self._types = {
            name: self.store.put_context_type(pb.ContextType(name=name)) for name in ("node", "pipeline_run")
        }
        self._execution = self.store.put_execution_type(pb.ExecutionType(name="any"))
        self._artifact = self.store.put_artifact_type(pb.ArtifactType(name="Any"))

    def run(self, name, evaluator=pb.Execution.COMPLETE):
        [run] = self.store.put_contexts([pb.Context(type_id=self._types["pipeline_run"], name=name)])
        for node in NODES:
            artifact = pb.Artifact(type_id=self._artifact, uri=f"/gone/{name}/{node}")
            event = pb.Event(type=pb.Event.OUTPUT)
            event.path.steps.add(key="output")
            of_node = pb.Context(type_id=self._types["node"], name=f"demo.{node}")
            state = evaluator if node == "Evaluator" else pb.Execution.COMPLETE
            execution = pb.Execution(type_id=self._execution, last_known_state=state)
            known = pb.Context(id=run, type_id=self._types["pipeline_run"], name=name)
            self.store.put_execution(
                execution, [(artifact, event)], [of_node, known], reuse_context_if_already_exist=True
            )


@pytest.fixture
def run_dir(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "summary.json").write_text(json.dumps(SUMMARY))
    return tmp_path / "a"


def refusal(run_dir):
    with pytest.raises(UserError) as raised:
        report("a", run_dir.parent, verbose=True)
    return str(raised.value)


def test_a_folder_that_is_no_run(run_dir):
    (run_dir / "summary.json").unlink()
    assert "a is no run" in refusal(run_dir)


def test_a_run_that_was_not_made_here(run_dir):
    assert "only a run on this machine" in refusal(run_dir)
    assert not (run_dir / "metadata.db").exists()


@pytest.mark.parametrize("state", [pb.Execution.FAILED, pb.Execution.RUNNING])
def test_a_run_that_did_not_come_to_the_evaluator_says_why(run_dir, state):
    (run_dir / "summary.json").write_text(json.dumps({**SUMMARY, "error": "Trainer found the disk full."}))
    store = Store(run_dir)
    store.run("2026-11-23T05:00:00.1")
    store.run("2026-11-24T05:00:01.5", evaluator=state)
    assert refusal(run_dir).endswith("did not come to the Evaluator: Trainer found the disk full.")


def test_outputs_that_are_gone_are_named(run_dir):
    Store(run_dir).run("2026-11-24T05:00:01.5")
    assert "/gone/2026-11-24T05:00:01.5/ExampleGen, which ExampleGen wrote, is gone" in refusal(run_dir)


def test_the_run_of_the_summary_is_meant_and_neither_an_earlier_nor_a_later_one(run_dir):
    store = Store(run_dir)
    for second in ("03", "04", "05"):
        store.run(f"2026-11-24T05:00:{second}.5")
    found = lineage.outputs_of_run(store.store, "2026-11-24T05:00:04")
    assert {node: outputs["output"].uri for node, outputs in found.items()} == {
        node: f"/gone/2026-11-24T05:00:04.5/{node}" for node in NODES
    }
