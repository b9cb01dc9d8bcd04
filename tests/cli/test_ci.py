"""`segpipe ci …` as a person types it: what is printed where, and the exit status."""

import json
import sys

import pytest

from segpipe.cicd import github
from segpipe.cli import main
from tests.cicd.test_compare import Repository
from tests.servers.github import LoopbackGitHub


@pytest.fixture
def repository(tmp_path, monkeypatch):
    (tmp_path / "repository").mkdir()
    monkeypatch.chdir(tmp_path / "repository")
    return Repository(tmp_path / "repository")


@pytest.fixture
def segpipe(monkeypatch, capsys):
    """Runs the command line; returns its exit status, stdout and stderr."""

    def segpipe(*arguments):
        monkeypatch.setattr(sys, "argv", ["segpipe", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main.main()
        return exit_.value.code or 0, *capsys.readouterr()

    return segpipe


@pytest.mark.parametrize(("mean_iou", "status"), [(0.7, 0), (0.5, 3), (-1, 1)])
def test_the_exit_status_is_the_verdict(repository, segpipe, mean_iou, status):
    repository.commit_model(0.6)
    repository.git("branch", "base")
    repository.commit_model(mean_iou)
    assert segpipe("ci", "verdict", "--base", "base", "--head", "main")[0] == status


def test_the_comment_is_printed_and_what_is_done_is_told(repository, segpipe):
    repository.commit_model(0.6)
    repository.git("switch", "--quiet", "--create", "mine")
    repository.commit_model(0.7)
    _, out, err = segpipe("ci", "verdict")
    assert out.startswith("### ✅ Blessed: mean IoU 0.700, +0.100 against the champion\n")
    assert out == (repository.root / "runs/verdict/verdict.md").read_text() + "\n"
    assert err.splitlines()[-1].endswith("Verdict: runs/verdict/verdict.md")
    assert (repository.root / "runs/verdict/worst-1.jpg").read_text() == "picture of 0.7"


def test_nothing_to_judge_is_no_failure(repository, segpipe):
    repository.commit_model(0.6)
    repository.git("switch", "--quiet", "--create", "mine")
    repository.commit(**{"README.md": "more words"})
    status, out, _ = segpipe("ci", "verdict")
    assert status == 0
    assert "⚪ Nothing to judge" in out


def test_a_revision_that_does_not_exist_is_the_users_error(repository, segpipe):
    repository.commit_model(0.6)
    status, out, err = segpipe("ci", "verdict", "--base", "nowhere")
    assert (status, out) == (2, "")
    assert err.startswith("segpipe: git rev-parse")
    assert "'nowhere'" in err


def test_a_verdict_is_put_on_a_pull_request(repository, segpipe, monkeypatch):
    head = repository.commit_model(0.6)
    segpipe("ci", "verdict", "--base", "")
    with LoopbackGitHub() as server:
        server.tokens["mine"] = (github.BOT, {"pull-requests": "write", "checks": "write", "contents": "write"})
        server.pulls[12] = {"ref": "mine", "sha": head, "full_name": "owner/repo"}
        for name, value in {"REPOSITORY": "owner/repo", "TOKEN": "mine", "API_URL": server.api_url}.items():
            monkeypatch.setenv(f"GITHUB_{name}", value)
        status, out, _ = segpipe("ci", "report", "--pull", "12")
    assert (status, out.strip()) == (0, server.comments[0]["html_url"])
    assert "mean IoU 0.600, a first model" in server.comments[0]["body"]
    assert server.checks[0]["head_sha"] == head


def test_without_a_verdict_nothing_is_put_anywhere(repository, segpipe):
    status, _, err = segpipe("ci", "report", "--pull", "12")
    assert (status, err) == (2, "segpipe: no verdict in runs/verdict; `segpipe ci verdict` writes one.\n")


def test_the_verdict_holds_what_made_it(repository, segpipe):
    head = repository.commit_model(0.6)
    segpipe("ci", "verdict", "--base", "", "--set", "train.epochs=2")
    change = json.loads((repository.root / "runs/verdict/verdict.json").read_text())["change"]
    assert change == {
        "config": "configs/demo.toml",
        "head": head,
        "base": "",
        "overrides": ["train.epochs=2"],
        "notes": [],
        "page": "",
    }
