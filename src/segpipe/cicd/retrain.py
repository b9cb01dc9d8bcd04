"""Starts the training workflow when a pull request asks for it, by a `/retrain` comment or a `retrain` label.

Runs on the standard library alone, like `post`, by `python3 -m segpipe.cicd.retrain`.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpipe.cicd.github import GitHub
from segpipe.errors import SegpipeError, UserError

COMMAND = "/retrain"
LABEL = "retrain"
WORKFLOW = "train.yml"
TARGETS = ("local", "vertex")
DEFAULT_CONFIG = "configs/demo.toml"

_CONFIG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*\.toml")


@dataclass(frozen=True)
class Request:
    """What somebody asked for.

    Attributes:
      pull: number of the pull request.
      user: who asked.
      config: the TOML file of the run.
      target: where it runs; one of TARGETS.
    """

    pull: int
    user: str
    config: str = DEFAULT_CONFIG
    target: str = TARGETS[0]


def parse(event: Mapping[str, Any]) -> Request | None:
    """The request in the event of a webhook, or None where it holds none.

    Raises:
      UserError: somebody asked for a thing that there is not.
    """
    user = event["sender"]["login"]
    if "comment" in event:
        words = _words(event)
        if event.get("action") != "created" or "pull_request" not in event["issue"] or words[:1] != [COMMAND]:
            return None
        config, target = _arguments(words[1:])
        return Request(event["issue"]["number"], user, config, target)
    if event.get("action") == "labeled" and event["label"]["name"] == LABEL:
        return Request(event["pull_request"]["number"], user)
    return None


def start(request: Request, github: GitHub) -> str:
    """Starts the training workflow on the pull request's branch.

    Returns:
      A sentence that says what was started.

    Raises:
      UserError: the person may not write to the repository, or the branch lies in a fork, whose code must not meet the
        repository's secrets.
    """
    if not github.may_write(request.user):
        raise UserError(f"{request.user} may not start a training: it takes write access to {github.repository}.")
    head = github.pull(request.pull)["head"]
    if (head["repo"] or {}).get("full_name") != github.repository:
        raise UserError(f"#{request.pull} comes from a fork; push its branch to {github.repository} to train it.")
    inputs = {"config": request.config, "target": request.target, "pullRequest": str(request.pull)}
    github.dispatch(WORKFLOW, head["ref"], inputs)
    return f"started {WORKFLOW} on {head['ref']} with {request.config}, target {request.target}"


def main(environment: Mapping[str, str]) -> int:
    """Handles the event in the file GITHUB_EVENT_PATH; answers a comment with 🚀, or 😕 where it could not."""
    try:
        github = GitHub.from_environment(environment)
        event = json.loads(Path(environment["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
        with _answered(event, github):
            request = parse(event)
            print(start(request, github) if request else "nothing was asked for")  # noqa: T201
    except SegpipeError as error:
        print(f"segpipe: {error}", file=sys.stderr)  # noqa: T201
        return 2 if isinstance(error, UserError) else 1
    return 0


@contextmanager
def _answered(event: Mapping[str, Any], github: GitHub) -> Iterator[None]:
    """Puts a reaction on the comment of an event, if it holds the command."""
    reaction = "confused"
    try:
        yield
        reaction = "rocket"
    finally:
        if _words(event)[:1] == [COMMAND]:
            github.react(event["comment"]["id"], reaction)


def _words(event: Mapping[str, Any]) -> list[str]:
    """The words in the first line of an event's comment."""
    lines = event.get("comment", {}).get("body", "").strip().splitlines()
    return lines[0].split() if lines else []


def _arguments(words: list[str]) -> tuple[str, str]:
    config, target = DEFAULT_CONFIG, TARGETS[0]
    for word in words:
        if word in TARGETS:
            target = word
        elif _CONFIG.fullmatch(word) and ".." not in word:
            config = word
        else:
            raise UserError(f"{COMMAND} takes a TOML file and one of {', '.join(TARGETS)}; got {word!r}.")
    return config, target


if __name__ == "__main__":
    sys.exit(main(os.environ))
