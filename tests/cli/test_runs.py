"""`segpipe runs` tells the runs in a folder, the newest first, and what became of each."""

import json

import pytest
from typer.testing import CliRunner

from segpipe.cli.main import app

SUMMARIES = {
    "old": {"started": "2026-11-01T08:30:00", "status": "done", "seconds": 61.4, "blessed": True, "mean_iou": 0.7},
    "worse": {"started": "2026-11-03T08:30:00", "status": "done", "seconds": 59.6, "blessed": False, "mean_iou": 0.41},
    "broken": {"started": "2026-11-02T08:30:00", "status": "failed", "seconds": 3.2, "blessed": None},
}


@pytest.fixture
def folder(tmp_path):
    for name, facts in SUMMARIES.items():
        (tmp_path / name).mkdir()
        facts = dict(facts)
        mean_iou = facts.pop("mean_iou", None)
        metrics = {} if mean_iou is None else {"metrics": {"candidate": {"mean_iou": mean_iou}}}
        (tmp_path / name / "summary.json").write_text(json.dumps({"name": name, **facts, **metrics}))
    (tmp_path / "no-run").mkdir()
    return tmp_path


def ask(*arguments):
    return CliRunner().invoke(app, ["runs", *arguments], env={"COLUMNS": "120"})


def test_the_table_has_the_newest_run_first(folder):
    heading, *rows = ask("--in", str(folder)).stdout.splitlines()
    assert heading.split() == ["run", "when", "status", "seconds", "mean", "IoU", "blessed"]
    assert [row.split() for row in rows] == [
        ["worse", "2026-11-03", "08:30", "done", "60", "0.410", "no"],
        ["broken", "2026-11-02", "08:30", "failed", "3", "–", "–"],
        ["old", "2026-11-01", "08:30", "done", "61", "0.700", "yes"],
    ]


def test_programs_get_the_summaries(folder):
    listed = json.loads(ask("--in", str(folder), "--json").stdout)
    assert [summary["name"] for summary in listed] == ["worse", "broken", "old"]


def test_where_there_are_no_runs_the_command_that_makes_one_is_named(tmp_path):
    result = ask("--in", str(tmp_path / "runs"))
    assert "`segpipe run CONFIG` makes one" in str(result.exception)
    assert type(result.exception).__name__ == "UserError"


def test_a_run_that_is_none_is_told(folder):
    result = ask("--in", str(folder), "show", "no-run")
    assert "no-run is no run" in str(result.exception)
