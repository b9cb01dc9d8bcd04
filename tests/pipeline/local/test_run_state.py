"""A summary says what is true, also of a process that could not write its own end."""

import json

from typer.testing import CliRunner

from segpipe.cli.runs import app
from segpipe.io import lock
from segpipe.pipeline.local import run_state


def _summary(folder, **changes):
    folder.mkdir(parents=True)
    summary = {"name": "a", "started": "2026-12-01T10:00:00", "seconds": 0.0, "status": "running", "error": None}
    (folder / run_state.FILE).write_text(json.dumps({**summary, "components": {}, "blessed": None, **changes}))


def test_a_running_summary_without_its_process_is_a_killed_run(tmp_path):
    _summary(tmp_path / "runs" / "a")
    with lock.hold(tmp_path / "runs" / "a", "busy"):
        assert run_state.read(tmp_path / "runs" / "a")["status"] == run_state.RUNNING
    summary = run_state.read(tmp_path / "runs" / "a")
    assert (summary["status"], summary["error"]) == (
        "killed",
        "the process was killed; the same command continues the run.",
    )


def test_runs_lists_what_is_true_and_names_no_model_that_a_run_did_not_make(tmp_path):
    _summary(tmp_path / "runs" / "a")
    _summary(tmp_path / "runs" / "b", name="b", status="failed", error="the disk is full.")
    listed = json.loads(CliRunner().invoke(app, ["--in", str(tmp_path / "runs"), "--json"]).stdout)
    assert {summary["name"]: summary["status"] for summary in listed} == {"a": "killed", "b": "failed"}
    shown = CliRunner().invoke(app, ["--in", str(tmp_path / "runs"), "show", "b"])
    assert shown.exit_code == 0
    assert "failed: the disk is full." in shown.output
    as_json = CliRunner().invoke(app, ["--in", str(tmp_path / "runs"), "show", "b", "--json"])
    assert json.loads(as_json.stdout)["lineage"] == []
