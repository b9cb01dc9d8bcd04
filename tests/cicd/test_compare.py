"""Two revisions of a small repository whose `segpipe run` is a stand-in that takes no time: what is said of them."""

import json
import subprocess
from pathlib import Path

import pytest

from segpipe.cicd.compare import compare
from segpipe.errors import UserError
from tests.workflows.fake_run import FAKE_RUN


class Repository:
    def __init__(self, root: Path):
        self.root = root
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        command = ["git", "-C", str(self.root), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a commit")
        return self.git("rev-parse", "HEAD")

    def commit_model(self, mean_iou: float, **files: str) -> str:
        """A commit whose training ends with this mean IoU; a negative one fails."""
        code = {"__init__.py": "", "cli/__init__.py": "", "cli/main.py": FAKE_RUN}
        package = {f"src/segpipe/{name}": text for name, text in code.items()}
        return self.commit(
            **{"src/model.txt": str(mean_iou), "configs/demo.toml": "", "README.md": "", **package, **files}
        )


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "repository").mkdir()
    return Repository(tmp_path / "repository")


@pytest.fixture
def judge(repository, tmp_path):
    def judge(base, head="HEAD", config="configs/demo.toml", **options):
        return compare(repository.root, config, base, head, tmp_path / "out", **options)

    return judge


def test_the_gate_meets_the_bases_model(repository, judge, tmp_path):
    base = repository.commit_model(0.6)
    head = repository.commit_model(0.65)
    judged = judge(base)
    assert judged.title == "Blessed: mean IoU 0.650, +0.050 against the champion"
    assert "The gate met no champion" not in judged.markdown
    assert (judged.change.base, judged.change.head) == (base, head)
    assert (tmp_path / "out" / "report.html").read_text() == "report of 0.65"


def test_a_worse_model_is_not_blessed(repository, judge):
    base = repository.commit_model(0.65)
    repository.commit_model(0.6)
    assert judge(base).title == "Not blessed: mean IoU 0.600, -0.050 against the champion"


def test_a_second_head_still_meets_the_base_and_not_the_first_head(repository, judge):
    base = repository.commit_model(0.6)
    repository.commit_model(0.8)
    assert judge(base).blessed
    repository.commit_model(0.7)
    assert judge(base).title == "Blessed: mean IoU 0.700, +0.100 against the champion"


def test_another_base_does_not_meet_the_one_before_it(repository, judge):
    first = repository.commit_model(0.8)
    second = repository.commit_model(0.6)
    third = repository.commit_model(0.7)
    assert not judge(first, second).blessed
    assert judge(second, third).title == "Blessed: mean IoU 0.700, +0.100 against the champion"


def test_other_overrides_train_the_base_anew(repository, judge, tmp_path):
    base = repository.commit_model(0.6)
    repository.commit_model(0.7)
    judge(base)
    (tmp_path / "out" / "champion" / "of the first call").touch()
    judge(base)
    assert (tmp_path / "out" / "champion" / "of the first call").exists()
    judge(base, overrides=["train.epochs=1"])
    assert not (tmp_path / "out" / "champion" / "of the first call").exists()


def test_a_base_below_the_floor_is_no_champion_but_is_shown(repository, judge):
    base = repository.commit_model(0.4)
    repository.commit_model(0.6)
    judged = judge(base)
    assert judged.title == "Blessed: mean IoU 0.600, +0.200 against the champion"
    assert "The gate met no champion" in judged.markdown


def test_a_base_that_cannot_run_is_no_champion_and_said_so(repository, judge):
    base = repository.commit_model(-1)
    repository.commit_model(0.6)
    judged = judge(base)
    assert judged.title == "Blessed: mean IoU 0.600, a first model"
    assert "Trainer failed: ValueError: negative" in judged.markdown


def test_a_change_that_cannot_run_is_red(repository, judge, tmp_path):
    base = repository.commit_model(0.6)
    repository.commit_model(-1)
    judged = judge(base)
    assert (judged.conclusion, judged.blessed) == ("failure", None)
    assert "Trainer failed: ValueError: negative" in judged.markdown
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_change_of_the_readme_trains_nothing(repository, judge, tmp_path):
    base = repository.commit_model(0.6)
    repository.commit(**{"README.md": "more words", "docs/page.md": "words"})
    judged = judge(base)
    assert (judged.conclusion, judged.blessed) == ("neutral", None)
    assert not (tmp_path / "out").exists()


def test_a_change_beside_the_config_is_a_change(repository, judge):
    base = repository.commit_model(0.6, **{"mine/own.toml": 'name = "own"', "mine/schema.pbtxt": "1"})
    repository.commit(**{"mine/schema.pbtxt": "2"})
    assert judge(base).conclusion == "neutral"
    assert judge(base, config="mine/own.toml").blessed


def test_another_lock_is_mentioned(repository, judge):
    base = repository.commit_model(0.6, **{"requirements.lock": "1"})
    repository.commit_model(0.7, **{"requirements.lock": "2"})
    assert "requirements.lock differs" in judge(base).markdown


@pytest.mark.parametrize("base", ["", "0" * 40])
def test_without_a_base_it_is_a_first_model(repository, judge, base):
    repository.commit_model(0.6)
    assert judge(base).title == "Blessed: mean IoU 0.600, a first model"


def test_a_new_config_has_no_champion(repository, judge):
    base = repository.commit_model(0.6)
    repository.commit(**{"configs/new.toml": 'name = "new"'})
    judged = judge(base, config="configs/new.toml")
    assert judged.title == "Blessed: mean IoU 0.600, a first model"
    assert "configs/new.toml is new" in judged.markdown


def test_what_is_not_committed_is_not_judged(repository, judge):
    base = repository.commit_model(0.6)
    repository.commit_model(0.7)
    (repository.root / "src/segpipe/cli/main.py").write_text("raise SystemExit(1)")
    assert judge(base).blessed


def test_overrides_reach_both_runs(repository, judge, tmp_path):
    base = repository.commit_model(0.6)
    repository.commit_model(0.7)
    judge(base, overrides=["train.epochs=2"])
    for run in ("champion", "candidate"):
        assert json.loads((tmp_path / "out" / run / "summary.json").read_text())["settings"]["train.epochs"] == "2"


def test_no_worktree_is_left_behind(repository, judge):
    base = repository.commit_model(0.6)
    repository.commit_model(-1)
    judge(base)
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_a_revision_that_does_not_exist_is_named(repository, judge):
    repository.commit_model(0.6)
    with pytest.raises(UserError, match="'no-such-branch'"):
        judge("no-such-branch")
    with pytest.raises(UserError, match="'--upload-pack=x'"):
        judge("--upload-pack=x")


def test_a_config_that_is_not_committed_is_named(repository, judge):
    repository.commit_model(0.6)
    with pytest.raises(UserError, match=r"no such config in .*: configs/pets\.toml\. Commit it"):
        judge("", config="configs/pets.toml")


def test_a_folder_outside_git_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="not a git repository"):
        compare(tmp_path, "configs/demo.toml", "", "HEAD", tmp_path / "out")
