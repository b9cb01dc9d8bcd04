"""Runs this repository's workflows for real with act: jobs as processes here, third-party actions as stand-ins."""

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).parent / "stand_ins"
VENV = ROOT / ".venv"
USES = re.compile(r"uses: (?P<action>[\w.-]+/[\w.-]+)@(?P<ref>\S+)")

TELLING = ("]   | ", "❌", "🏁", "⚙", "Error", "level=error")

runs = pytest.mark.runs
"""Of a test: the jobs that it lets act run, as in `@runs("ci.yml/check")`."""


@dataclass(frozen=True)
class Finished:
    """A workflow that came to its end.

    Attributes:
      jobs: of those that ran, whether they succeeded, by "Workflow/Job".
      output: what the steps printed, and which of them failed.
    """

    succeeded: bool
    jobs: Mapping[str, bool]
    output: str


class Forge:
    """A repository, and the runner that its workflows run on.

    Attributes:
      root: working copy; events are of the branch that is checked out there.
      artifacts: name → folder of what jobs kept.
      log: what the stand-ins of third-party actions and commands were asked to do, one "name<TAB>arguments" a line.
      ran: jobs of which act ran the steps, or which called a workflow with such, as in {"ci.yml/check"}.
    """

    def __init__(self, folder: Path, api_url: str):
        self.root = folder / "repository"
        self.root.mkdir(parents=True)
        self.artifacts = folder / "artifacts"
        self._commands = folder / "commands"
        self._commands.mkdir()
        self._log = folder / "stand-ins.log"
        self._folder = folder
        self._api_url = api_url
        self.ran: set[str] = set()
        self._run_ids = itertools.count(1)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")
        self.git("remote", "add", "origin", "https://github.com/owner/repo.git")

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
        command = ["git", "-C", str(self.root), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str = "a commit") -> str:
        """Commits everything that is in `root`."""
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def copy(self, *paths: str) -> None:
        """Copies files and folders of this repository, as they are now and as far as git would take them."""
        listed = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths]
        for name in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines():
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.root / name)

    def replace_command(self, name: str, script: str) -> None:
        """Puts a shell script in the place of a command of the environment; its arguments are noted in `log`."""
        path = self._commands / name
        path.write_text(f'#!/bin/sh\nprintf "{name}\\t%s\\n" "$*" >> "$STAND_IN_LOG"\n{script}\n')
        path.chmod(0o755)

    @property
    def log(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    def run(
        self,
        event: str,
        workflow: str,
        payload: Mapping[str, object] | None = None,
        job: str = "",
        secrets: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Finished:
        """Runs one workflow of `root` for an event.

        Args:
          event: as in "pull_request".
          workflow: its file's name.
          payload: of the event; `repository.default_branch` is set.
          job: the only one to run, with those it needs; all if empty.
          secrets: beside GITHUB_TOKEN.
          variables: the `vars` of the repository.
          environment: more variables for every step.
        """
        event_path = self._folder / "event.json"
        event_path.write_text(json.dumps({"repository": {"default_branch": "main"}, **(payload or {})}))
        command = [str(VENV / "bin/act"), event, "--workflows", f".github/workflows/{workflow}"]
        command += ["--directory", str(self.root), "--eventpath", str(event_path), "--no-skip-checkout"]
        command += ["--platform", "ubuntu-latest=-self-hosted", "--no-cache-server", "--concurrent-jobs", "1"]
        command += ["--action-cache-path", str(self._folder / "act")]
        if job:
            command += ["--job", job]
        steps = {
            "GITHUB_API_URL": self._api_url,
            "GITHUB_RUN_ID": str(next(self._run_ids)),
            "STAND_IN_REPOSITORY": str(self.root),
            "STAND_IN_ARTIFACTS": str(self.artifacts),
            "STAND_IN_COMMANDS": str(self._commands),
            "STAND_IN_LOG": str(self._log),
            "STAND_IN_VENV": str(VENV),
            **(environment or {}),
        }
        for flag, values in (
            ("--env", steps),
            ("--secret", {"GITHUB_TOKEN": "job-token", **(secrets or {})}),
            ("--var", variables or {}),
        ):
            for name, value in values.items():
                command += [flag, f"{name}={value}"]
        for action, ref in self._third_party():
            assert (STAND_INS / action / "action.yml").exists(), f"{action} has no stand-in"
            command += ["--local-repository", f"{action}@{ref}={STAND_INS / action}"]
        finished = subprocess.run(
            command, env=self._surroundings(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1500
        )
        jobs = re.findall(r"^\[(.+?)\s*\] 🏁  Job (succeeded|failed)", finished.stdout, flags=re.MULTILINE)
        for name, _ in jobs:
            self.ran |= self._ids(workflow, name)
        told = [line for line in finished.stdout.splitlines() if any(mark in line for mark in TELLING)]
        return Finished(finished.returncode == 0, {name: how == "succeeded" for name, how in jobs}, "\n".join(told))

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs make in `root` as a person would, with the stand-ins of commands."""
        environment = {**self._surroundings(), "STAND_IN_LOG": str(self._log)}
        command = ["make", *arguments]
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=60)

    def _surroundings(self) -> dict[str, str]:
        # MAKEFLAGS as well: a runner's make has no make above it, and one that has prints its directories.
        ours = ("GITHUB_", "PYTEST_", "MAKE", "MFLAGS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**kept, "PATH": f"{self._commands}:{STAND_INS / 'bin'}:{os.environ['PATH']}"}

    def _ids(self, workflow: str, shown: str) -> set[str]:
        """Every job that act means by "Workflow/Job", or by "Calling job/Called workflow/Job", however deep it lies."""
        *calling, title, name = shown.split("/")
        if not calling:
            return {
                f"{workflow}/{job_id}" for job_id, job in self._told(workflow)["jobs"].items() if job["name"] == name
            }
        return {
            one
            for file, job_id, job in self._calls(workflow)
            if (job["name"], self._told(Path(job["uses"]).name)["name"]) == (calling[-1], title)
            for one in (f"{file}/{job_id}", *self._ids(Path(job["uses"]).name, f"{title}/{name}"))
        }

    def _calls(self, workflow: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Workflow, id and job of each job that calls a workflow, also in those that are called."""
        for job_id, job in self._told(workflow)["jobs"].items():
            if "uses" in job:
                yield workflow, job_id, job
                yield from self._calls(Path(job["uses"]).name)

    def _told(self, workflow: str) -> Mapping[str, Any]:
        return yaml.safe_load((self.root / ".github/workflows" / workflow).read_text())

    def _third_party(self) -> set[tuple[str, str]]:
        files = [*self.root.glob(".github/workflows/*.yml"), *self.root.glob(".github/actions/*/action.yml")]
        return {(m["action"], m["ref"]) for file in files for m in USES.finditer(file.read_text())}
