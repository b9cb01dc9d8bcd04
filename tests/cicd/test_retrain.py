"""`/retrain` comments and labels: who may ask, for what, on which branch."""

import json

import pytest

from segpipe.cicd import github, retrain
from segpipe.cicd.retrain import Request
from segpipe.errors import UserError
from tests.servers.github import LoopbackGitHub


def comment(body, action="created", on_pull=True, user="alice"):
    issue = {"number": 7, **({"pull_request": {}} if on_pull else {})}
    return {"action": action, "sender": {"login": user}, "comment": {"id": 41, "body": body}, "issue": issue}


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        ("/retrain", Request(7, "alice", "configs/demo.toml", "local")),
        ("/retrain configs/pets.toml", Request(7, "alice", "configs/pets.toml", "local")),
        ("  /retrain vertex configs/pets.toml\nthanks!", Request(7, "alice", "configs/pets.toml", "vertex")),
        ("please /retrain", None),
        ("/retrained", None),
        ("", None),
    ],
)
def test_what_a_comment_asks_for(body, request_):
    assert retrain.parse(comment(body)) == request_


def test_only_new_comments_on_pull_requests_count():
    assert retrain.parse(comment("/retrain", action="edited")) is None
    assert retrain.parse(comment("/retrain", on_pull=False)) is None


def test_the_label_asks_for_the_default():
    event = {"action": "labeled", "sender": {"login": "alice"}, "pull_request": {"number": 7}}
    assert retrain.parse({**event, "label": {"name": "retrain"}}) == Request(7, "alice")
    assert retrain.parse({**event, "label": {"name": "bug"}}) is None


@pytest.mark.parametrize("argument", ["$(id)", "../secret.toml", "a;b.toml", "--set", "airflow", "`id`.toml"])
def test_an_argument_that_is_no_config_is_refused(argument):
    with pytest.raises(UserError, match="takes a TOML file and one of local, vertex; got"):
        retrain.parse(comment(f"/retrain {argument}"))


@pytest.fixture
def server(tmp_path):
    with LoopbackGitHub() as server:
        server.tokens["t"] = (github.BOT, {"pull-requests": "write", "actions": "write"})
        server.collaborators = {"alice": "write", "mallory": "read"}
        server.workflows["train.yml"] = {"config", "target", "pullRequest", "gcpProject"}
        server.pulls[7] = {"ref": "better-model", "sha": "a" * 40, "full_name": "owner/repo"}
        yield server


def handle(server, tmp_path, event):
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event))
    return retrain.main(
        {
            "GITHUB_REPOSITORY": "owner/repo",
            "GITHUB_TOKEN": "t",
            "GITHUB_API_URL": server.api_url,
            "GITHUB_EVENT_PATH": str(path),
        }
    )


def test_the_branch_of_the_pull_request_is_trained(server, tmp_path):
    assert handle(server, tmp_path, comment("/retrain configs/pets.toml vertex")) == 0
    inputs = {"config": "configs/pets.toml", "target": "vertex", "pullRequest": "7"}
    assert server.dispatches == [{"workflow": "train.yml", "ref": "better-model", "inputs": inputs}]
    assert server.reactions == [(41, "rocket")]


@pytest.mark.parametrize("full_name", ["mallory/repo", None])
def test_a_fork_is_never_trained(server, tmp_path, capsys, full_name):
    server.pulls[7]["full_name"] = full_name
    assert handle(server, tmp_path, comment("/retrain")) == 2
    assert "#7 comes from a fork" in capsys.readouterr().err
    assert server.dispatches == []
    assert server.reactions == [(41, "confused")]


def test_a_person_without_write_access_starts_nothing(server, tmp_path, capsys):
    assert handle(server, tmp_path, comment("/retrain", user="mallory")) == 2
    assert "mallory may not start a training" in capsys.readouterr().err
    assert server.dispatches == []


def test_other_comments_start_nothing(server, tmp_path, capsys):
    assert handle(server, tmp_path, comment("looks good")) == 0
    assert capsys.readouterr().out == "nothing was asked for\n"
    assert server.requests == []
