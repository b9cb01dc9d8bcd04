"""What every workflow file has to keep to: pins, permissions, quoting, and steps that a person can call."""

import importlib
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.workflows.act import ROOT, STAND_INS, VENV

HERE = Path(__file__).parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def read(path):
    return yaml.safe_load(path.read_text())


def jobs(path):
    return read(path)["jobs"].items()


def steps(path):
    if path in ACTIONS:
        return read(path)["runs"]["steps"]
    return [step for _, job in jobs(path) for step in job.get("steps", [])]


@pytest.mark.parametrize("path", WORKFLOWS + ACTIONS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_third_party_actions_are_pinned_by_commit_and_have_a_stand_in(path):
    lines = [line.strip().removeprefix("- ") for line in path.read_text().splitlines()]
    for line in [line for line in lines if line.startswith("uses:") and not line.startswith("uses: ./")]:
        pinned = re.fullmatch(r"uses: ([\w-]+/[\w-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
        assert pinned, line
        assert (STAND_INS / pinned[1] / "action.yml").exists()


def test_an_action_is_pinned_to_the_same_commit_everywhere():
    text = "".join(path.read_text() for path in WORKFLOWS + ACTIONS)
    pins = set(re.findall(r"uses: ([\w-]+/[\w-]+)@(\S+ # \S+)", text))
    assert len(pins) == len({action for action, _ in pins})


@pytest.mark.parametrize("path", WORKFLOWS + ACTIONS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_script_has_an_expression_in_it(path):
    for step in steps(path):
        assert "${{" not in step.get("run", ""), step


@each_workflow
def test_a_workflow_has_no_permission_and_each_job_asks_for_its_own(path):
    assert read(path)["permissions"] == {}
    for name, job in jobs(path):
        assert job["permissions"], name
        assert "steps" not in job or job["timeout-minutes"] <= 350, name


@each_workflow
def test_a_job_that_may_write_to_pull_requests_installs_nothing(path):
    for name, job in jobs(path):
        if "steps" in job and {"checks", "pull-requests"} & {k for k, v in job["permissions"].items() if v == "write"}:
            used = [step["uses"] for step in job["steps"] if "uses" in step]
            assert not [action for action in used if action.startswith("./")], name
            assert not [step for step in job["steps"] if "pip" in step.get("run", "")], name


@each_workflow
def test_no_job_leaves_its_token_in_the_working_copy(path):
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each_workflow
def test_secrets_are_read_only_where_a_person_approves(path):
    for name, job in jobs(path):
        if "secrets." in json.dumps(job) or "secrets[" in json.dumps(job):
            assert job["environment"] == "production", name


@each_workflow
def test_every_step_is_a_command_that_a_person_can_call(path):
    commands = {"make", "segpipe", "gh", "gcloud", "test", "echo", "mkdir"}
    for step in steps(path):
        if "run" in step:
            assert step["run"].split()[0] in commands, step


@each_workflow
def test_runs_of_the_same_thing_do_not_meet(path):
    triggers = read(path)[True]  # YAML 1.1 reads `on` as true.
    assert "workflow_call" in triggers or read(path)["concurrency"]["group"]


def test_the_published_parameters_are_there():
    inputs = read(ROOT / ".github/workflows/train.yml")[True]["workflow_dispatch"]["inputs"]
    assert {"gcpProject", "gcpRegion", "pipelineName", "enableDataflow", "config", "target"} <= set(inputs)
    assert inputs["target"]["options"] == ["local", "vertex"]


def test_two_findings_of_zizmor_are_accepted_each_with_its_reason():
    text = "".join(path.read_text() for path in WORKFLOWS + ACTIONS)
    accepted = re.findall(r"# zizmor: ignore\[([\w-]+)\] \w.+", text)
    assert sorted(accepted) == ["dangerous-triggers", "overprovisioned-secrets"]
    assert text.count("zizmor:") == 2


def test_newer_actions_and_images_are_proposed_when_they_are_a_week_old():
    updates = {one["package-ecosystem"]: one for one in read(ROOT / ".github/dependabot.yml")["updates"]}
    assert set(updates) == {"github-actions", "docker"}
    assert all(one["cooldown"]["default-days"] == 7 for one in updates.values())
    assert updates["github-actions"]["directories"] == ["/", "/.github/actions/*"]


def test_every_path_that_has_an_owner_exists():
    lines = [line.split() for line in (ROOT / ".github/CODEOWNERS").read_text().splitlines()]
    owned = [line[0] for line in lines if line and not line[0].startswith("#")]
    assert "/.github/" in owned
    assert [path for path in owned if path != "*" and not (ROOT / path.lstrip("/")).exists()] == []


@pytest.mark.parametrize("path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name)
def test_an_issue_form_asks_for_something(path):
    form = read(path)
    if path.name == "config.yml":
        return
    assert form["name"]
    assert form["description"]
    assert any(field.get("validations", {}).get("required") for field in form["body"])
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert len(ids) == len(set(ids))


def test_each_job_of_each_workflow_is_run_by_a_test():
    modules = [importlib.import_module(f"tests.workflows.{path.stem}") for path in HERE.glob("test_*.py")]
    tests = [value for module in modules for name, value in vars(module).items() if name.startswith("test_")]
    named = {job for test in tests for job in jobs_that_it_runs(test)}
    assert named == {f"{path.name}/{job}" for path in WORKFLOWS for job, _ in jobs(path)}


def jobs_that_it_runs(test):
    """Those that the mark `runs` of a test or of one of its parameters names; the fixtures hold the test to them."""
    marks = getattr(test, "pytestmark", [])
    cases = [case for mark in marks if mark.name == "parametrize" for case in mark.args[1]]
    marks = [*marks, *(mark for case in cases for mark in getattr(case, "marks", ()))]
    return [job for mark in marks if mark.name == "runs" for job in mark.args]


def test_the_linter_finds_nothing():
    command = [str(VENV / "bin/act"), "--validate", "--strict", "--directory", str(ROOT)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert finished.returncode == 0, finished.stderr


def test_zizmor_finds_nothing_above_low():
    command = [str(VENV / "bin/zizmor"), "--offline", "--format", "json", "--no-exit-codes", str(ROOT / ".github")]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
    findings = [f for f in json.loads(finished.stdout) if not f["ignored"]]
    high = [(f["ident"], f["determinations"]["severity"]) for f in findings]
    assert [finding for finding in high if finding[1] in ("Medium", "High")] == []
