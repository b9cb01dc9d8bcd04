"""Trains and judges two revisions here, and compares their models.

The change is run in a metadata store that already knows the base's run, so that the pipeline's own gate meets the
base's model as its champion, on the same test pictures.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from segpipe.cicd import summary, verdict
from segpipe.errors import RunError, UserError
from segpipe.io import atomic

MODEL_PATHS = ("src", "configs", "pyproject.toml", "requirements.lock")
"""What a model is made of, beside the folder of the config itself."""

BLESSED, NOT_BLESSED, USER_ERROR = 0, 3, 2

Say = Callable[[str], None]


def compare(
    repository: Path,
    config: str,
    base: str,
    head: str,
    out: Path,
    overrides: Sequence[str] = (),
    say: Say = lambda line: None,
) -> verdict.Verdict:
    """Trains both revisions here and says whether the change makes a better model.

    Both run with the packages that are installed now.

    Args:
      repository: any folder of the git repository.
      config: the TOML file, as seen from the repository's root.
      base: the revision whose model is to be beaten; empty, or all zeros as git hooks write it, for none.
      head: the revision to judge.
      out: where the runs, verdict.md, verdict.json and report.html are put.
      overrides: as of `segpipe run --set`, for both.
      say: told what is being done.

    Raises:
      UserError: not a git repository, no such revision, or no such config in `head`.
    """
    root = Path(_git(repository, "rev-parse", "--show-toplevel"))
    head = resolve(root, head)
    base = resolve(root, base) if base.strip("0") else ""
    if not _holds(root, head, config):
        raise UserError(f"no such config in {head[:12]}: {config}. Commit it, or name one that is.")
    notes: list[str] = []
    if base and not _holds(root, base, config):
        notes.append(f"{config} is new: the base has no model to beat.")
        base = ""
    change = verdict.Change(config, head, base, tuple(overrides))
    out = out.absolute()
    (out / "report.html").unlink(missing_ok=True)
    if base and not _differs(root, base, head, config):
        return verdict.unchanged(change, _watched(config))
    if base and _git(root, "diff", "--name-only", base, head, "--", "requirements.lock"):
        notes.append("requirements.lock differs: both models were made with the packages that are installed here.")

    with_base, of_base = out / "candidate", None
    shutil.rmtree(with_base, ignore_errors=True)
    if base:
        say(f"champion: {base[:12]}")
        _clear_of_another(out / "champion", [base, config, *overrides])
        try:
            of_base = _run(root, base, config, out / "champion", overrides)
            _hand_over_champion(out / "champion", with_base)
        except RunError as error:
            notes.append(f"The base could not be run, so there is no champion: {error}")
    change = verdict.Change(config, head, base, tuple(overrides), tuple(notes))
    say(f"candidate: {head[:12]}")
    try:
        of_head = _run(root, head, config, with_base, overrides)
    except RunError as error:
        return verdict.failed(change, str(error))
    if of_head.report and of_head.report.is_file():
        shutil.copyfile(of_head.report, out / "report.html")
    return verdict.judge(change, of_head, of_base)


def resolve(root: Path, revision: str) -> str:
    """The 40 hexadecimal digits of a revision.

    Raises:
      UserError: there is no such revision.
    """
    return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def _run(root: Path, commit: str, config: str, run_dir: Path, overrides: Sequence[str]) -> summary.Summary:
    """Runs the pipeline with a commit's own code and config.

    Raises:
      RunError: it did not come to its end.
    """
    tree = run_dir.parent / "trees" / commit[:12]
    _git(root, "worktree", "prune")
    if not tree.exists():
        _git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit)
    try:
        settings = [f"output_dir={run_dir}", *overrides]
        command = [sys.executable, "-m", "segpipe.cli.main", "run", str(tree / config)]
        finished = subprocess.run(
            [*command, *(word for setting in settings for word in ("--set", setting))],
            env={**os.environ, "PYTHONPATH": str(tree / "src")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if finished.returncode not in (BLESSED, NOT_BLESSED):
            last = (finished.stderr.strip().splitlines() or ["it said nothing"])[-1]
            said = last.replace(f"{tree}/", "").removeprefix("segpipe: ").rstrip(".")
            raise RunError(f"{commit[:12]} ended with status {finished.returncode}: {said}.")
        return summary.read(run_dir / "summary.json")
    finally:
        with suppress(UserError):
            _git(root, "worktree", "remove", "--force", str(tree))


def _clear_of_another(folder: Path, made_of: list[str]) -> None:
    """Clears a run of another base, config or override: its model would be taken for this one's champion."""
    marker, content = folder.with_name(f"{folder.name}.json"), json.dumps(made_of)
    if marker.is_file() and marker.read_text() == content:
        return
    marker.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    atomic.write_text(marker, content)


def _hand_over_champion(champion_dir: Path, candidate_dir: Path) -> None:
    candidate_dir.mkdir(parents=True)
    shutil.copyfile(champion_dir / "metadata.db", candidate_dir / "metadata.db")


def _watched(config: str) -> tuple[str, ...]:
    folder = str(PurePosixPath(config).parent)
    return MODEL_PATHS if folder in MODEL_PATHS else (*MODEL_PATHS, folder)


def _differs(root: Path, base: str, head: str, config: str) -> bool:
    return bool(_git(root, "diff", "--name-only", base, head, "--", *_watched(config)))


def _holds(root: Path, commit: str, path: str) -> bool:
    return bool(_git(root, "ls-tree", "--name-only", commit, "--", path))


def _git(folder: Path, *arguments: str) -> str:
    finished = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True)
    if finished.returncode:
        said = finished.stderr.strip().splitlines()
        what = said[-1] if said else f"nothing is known as {arguments[-1].removesuffix('^{commit}')!r}"
        raise UserError(f"git {arguments[0]} in {folder} failed: {what}.")
    return finished.stdout.strip()
