"""A verdict's way to the pull request, as the job that may write takes it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from segpipe.cicd import github, post, verdict
from tests.servers.github import LoopbackGitHub

SOURCE = Path(post.__file__).parents[2]
HEAD = "a" * 40


@pytest.fixture
def server():
    with LoopbackGitHub() as server:
        server.tokens["t"] = (github.BOT, {"pull-requests": "write", "checks": "write", "contents": "write"})
        server.pulls[7] = {"ref": "better-model", "sha": HEAD, "full_name": "owner/repo"}
        yield server


@pytest.fixture
def folder(tmp_path):
    change = verdict.Change("configs/demo.toml", HEAD, "b" * 40)
    (tmp_path / "source.jpg").write_bytes(b"a picture")
    pictures = [verdict.Picture("worst-1.jpg", "tile-1: mean IoU 0.100", tmp_path / "source.jpg")]
    verdict.Verdict("failure", False, "Not blessed: mean IoU 0.4", change, "### ❌ Not blessed\n", pictures).write(
        tmp_path
    )
    return tmp_path


def environment(server, folder):
    return {
        "GITHUB_REPOSITORY": "owner/repo",
        "GITHUB_TOKEN": "t",
        "GITHUB_API_URL": server.api_url,
        "PULL": "7",
        "VERDICT_DIR": str(folder),
        "REPORT_URL": "https://github.example/report",
        "RUN_URL": "https://github.example/run",
    }


def test_one_comment_and_a_red_check_with_links(server, folder):
    assert post.main(environment(server, folder)) == 0
    assert post.main(environment(server, folder)) == 0
    [comment] = server.comments
    assert comment["body"].startswith("<!-- segpipe verdict configs/demo.toml -->\n### ❌ Not blessed")
    assert "[Report](https://github.example/report)" in comment["body"]
    assert "[Log](https://github.example/run)" in comment["body"]
    assert [(check["conclusion"], check["head_sha"]) for check in server.checks] == [("failure", HEAD)] * 2
    assert server.checks[0]["name"] == "segpipe verdict configs/demo.toml"


def test_another_configs_verdict_takes_no_check_away(server, folder):
    assert post.main(environment(server, folder)) == 0
    assert post.main({**environment(server, folder), "CONFIG": "configs/pets.toml"}) == 0
    assert len({check["name"] for check in server.checks}) == len(server.comments) == 2


def test_the_worst_pictures_are_in_the_comment(server, folder):
    assert post.main(environment(server, folder)) == 0
    [(caption, url)] = re.findall(r"!\[(.+)\]\((.+)\)", server.comments[0]["body"])
    assert caption == "tile-1: mean IoU 0.100"
    assert server.file(url) == b"a picture"
    assert list(server.branches) == ["segpipe-verdicts"]


def test_where_the_pictures_may_not_be_stored_the_verdict_comes_without_them(server, folder):
    server.tokens["t"] = (github.BOT, {"pull-requests": "write", "checks": "write"})
    assert post.main(environment(server, folder)) == 0
    body = server.comments[0]["body"]
    assert "### ❌ Not blessed" in body
    assert "> The worst pictures could not be put into the branch `segpipe-verdicts`: GitHub answered 403" in body
    assert "![" not in body


def test_only_files_of_the_verdicts_folder_are_ever_stored(server, folder):
    (folder.parent / "secret").write_text("secret")
    raw = json.loads((folder / "verdict.json").read_text())
    raw["pictures"] = [{"file": "../secret", "caption": "x"}]
    (folder / "verdict.json").write_text(json.dumps(raw))
    assert post.main(environment(server, folder)) == 0
    assert server.branches == {}


def test_a_run_that_left_no_verdict_is_red_too(server, tmp_path):
    assert post.main({**environment(server, tmp_path), "CONFIG": "configs/demo.toml"}) == 0
    assert server.checks[0]["conclusion"] == "failure"
    assert "No verdict: the run ended before there was one" in server.comments[0]["body"]


def test_it_needs_no_installed_package(server, folder):
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(SOURCE)!r}); "
         "import runpy; runpy.run_module('segpipe.cicd.post', run_name='__main__')"],
        env=environment(server, folder), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.strip() == server.comments[0]["html_url"]


def test_a_missing_number_is_a_user_error(server, folder, capsys):
    assert post.main({**environment(server, folder), "PULL": "seven"}) == 2
    assert capsys.readouterr().err == "segpipe: PULL must be the number of a pull request, got 'seven'.\n"


def test_a_config_name_cannot_close_the_marker(server, folder):
    raw = json.loads((folder / "verdict.json").read_text())
    raw["change"]["config"] = "x --> <b>.toml"
    (folder / "verdict.json").write_text(json.dumps(raw))
    assert post.main(environment(server, folder)) == 0
    assert server.comments[0]["body"].splitlines()[0] == "<!-- segpipe verdict x-b.toml -->"
