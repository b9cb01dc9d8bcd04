"""From a pull request, a comment or a dispatch to the comment and the check, every step run for real by act."""

import re

import pytest

from tests.workflows.act import runs


@pytest.fixture
def pull_request(forge, github):
    """A pull request #7 whose model has the mean IoU that is asked for; main's has 0.6."""

    def pull_request(mean_iou, full_name="owner/repo"):
        (forge.root / "src/model.txt").write_text("0.6")
        base = forge.commit()
        forge.git("switch", "--quiet", "--create", "better-model")
        (forge.root / "src/model.txt").write_text(str(mean_iou))
        head = forge.commit()
        github.pulls[7] = {"ref": "better-model", "sha": head, "full_name": full_name}
        repo = {"full_name": full_name}
        pull = {"number": 7, "head": {"ref": "better-model", "sha": head, "repo": repo}, "base": {"sha": base}}
        return {"action": "opened", "number": 7, "pull_request": pull}

    return pull_request


@runs("ci.yml/verdict", "verdict.yml/train", "verdict.yml/report")
def test_a_better_model_gets_a_green_check_and_one_comment(forge, github, pull_request):
    event = pull_request(0.65)
    for _ in range(2):
        finished = forge.run("pull_request", "ci.yml", event, job="verdict")
        assert finished.succeeded, finished.output
    [comment] = github.comments
    assert "### ✅ Blessed: mean IoU 0.650, +0.050 against the champion" in comment["body"]
    assert "| mean IoU | 0.650 (0.640 … 0.660) | 0.600 | +0.050 |" in comment["body"]
    assert "https://github.example/artifacts/report.html" in comment["body"]
    [picture] = re.findall(r"!\[.+\]\((.+)\)", comment["body"])
    assert github.file(picture) == b"picture of 0.65"
    assert [check["conclusion"] for check in github.checks] == ["success", "success"]
    assert github.checks[0]["head_sha"] == event["pull_request"]["head"]["sha"]
    assert sorted(path.name for path in (forge.artifacts / "verdict").iterdir()) == [
        "verdict.json",
        "verdict.md",
        "worst-1.jpg",
    ]
    assert (forge.artifacts / "report.html/report.html").read_text() == "report of 0.65"


def test_a_worse_model_makes_the_run_red_and_says_so(forge, github, pull_request):
    finished = forge.run("pull_request", "ci.yml", pull_request(0.55), job="verdict")
    assert not finished.succeeded
    assert github.checks[0]["conclusion"] == "failure"
    assert "### ❌ Not blessed: mean IoU 0.550, -0.050 against the champion" in github.comments[0]["body"]


def test_a_run_that_crashes_makes_the_run_red_and_says_why(forge, github, pull_request):
    finished = forge.run("pull_request", "ci.yml", pull_request(-1), job="verdict")
    assert not finished.succeeded
    assert "Trainer failed: ValueError: negative" in github.comments[0]["body"]


def test_a_fork_gets_its_verdict_in_the_summary_only(forge, github, pull_request):
    finished = forge.run("pull_request", "ci.yml", pull_request(0.65, full_name="mallory/repo"), job="verdict")
    assert finished.succeeded, finished.output
    assert "Blessed: mean IoU 0.650" in finished.output
    assert github.requests == []


def test_a_push_to_main_is_judged_against_what_was_there_before(forge, github, pull_request):
    base = pull_request(0.65)["pull_request"]["base"]["sha"]
    finished = forge.run("push", "ci.yml", {"before": base}, job="verdict")
    assert finished.succeeded, finished.output
    assert "mean IoU 0.650, +0.050 against the champion" in finished.output
    assert github.requests == []


@runs("retrain.yml/start", "train.yml/local")
def test_from_the_comment_to_the_training_to_the_comment(forge, github, pull_request):
    pull_request(0.65)
    issue = {"number": 7, "pull_request": {"url": "…"}}
    comment = {"id": 41, "body": "/retrain configs/demo.toml"}
    event = {"action": "created", "sender": {"login": "alice"}, "issue": issue, "comment": comment}
    asked = forge.run("issue_comment", "retrain.yml", event)
    assert asked.succeeded, asked.output
    [dispatch] = github.dispatches
    assert (dispatch["workflow"], dispatch["ref"]) == ("train.yml", "better-model")
    assert github.reactions == [(41, "rocket")]

    github.pulls[7]["sha"] = "f" * 40  # Somebody pushes while the training starts.
    trained = forge.run("workflow_dispatch", "train.yml", {"inputs": dispatch["inputs"]})
    assert trained.succeeded, trained.output
    assert "Train/On Vertex AI" not in trained.jobs
    assert "### ✅ Blessed: mean IoU 0.650, +0.050 against the champion" in github.comments[0]["body"]
    [check] = github.checks
    assert (check["conclusion"], check["head_sha"]) == ("success", forge.git("rev-parse", "better-model"))


@pytest.mark.parametrize("body", ["looks good", "I would /retrain this"])
def test_other_comments_start_no_job(forge, github, pull_request, body):
    pull_request(0.65)
    event = {"action": "created", "sender": {"login": "alice"}, "issue": {"number": 7, "pull_request": {}}}
    finished = forge.run("issue_comment", "retrain.yml", {**event, "comment": {"id": 41, "body": body}})
    assert finished.jobs == {}
    assert github.requests == []


@runs("retrain.yml/start")
def test_the_label_starts_a_training(forge, github, pull_request):
    event = pull_request(0.65)
    asked = forge.run(
        "pull_request",
        "retrain.yml",
        {**event, "action": "labeled", "label": {"name": "retrain"}, "sender": {"login": "alice"}},
    )
    assert asked.succeeded, asked.output
    assert github.dispatches[0]["ref"] == "better-model"


def test_nothing_in_a_comment_is_run_by_a_shell(forge, github, pull_request, tmp_path):
    pull_request(0.65)
    body = f'/retrain "; touch {tmp_path}/stolen; echo $GITHUB_TOKEN `id` $(id) #.toml'
    event = {"action": "created", "sender": {"login": "alice"}, "issue": {"number": 7, "pull_request": {"url": "…"}}}
    finished = forge.run("issue_comment", "retrain.yml", {**event, "comment": {"id": 41, "body": body}})
    assert not finished.succeeded
    assert not (tmp_path / "stolen").exists()
    assert github.dispatches == []
    assert github.reactions == [(41, "confused")]


@runs("nightly.yml/verdict")
def test_every_night_main_is_trained_from_nothing(forge, github, pull_request):
    pull_request(0.65)
    finished = forge.run("schedule", "nightly.yml")
    assert finished.succeeded, finished.output
    assert "Blessed: mean IoU 0.650, a first model" in finished.output
