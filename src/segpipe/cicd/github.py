"""Calls of GitHub's REST API that a verdict needs, on the standard library alone.

The job that may write to a pull request installs nothing, so this module imports nothing that would have to be.
https://docs.github.com/en/rest?apiVersion=2022-11-28
"""

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from segpipe.errors import RunError, UserError

MAX_BODY_CHARACTERS = 65_000
"""GitHub takes 65,536 in a comment and in a check's summary."""

BOT = "github-actions[bot]"

_TRIES = 5
_TIMEOUT_S = 30
_LONGEST_WAIT_S = 60


@dataclass(frozen=True)
class GitHub:
    """One repository, with the token to act on it.

    Attributes:
      api_url: as in https://api.github.com.
      repository: owner/name.
      server_url: where people look at it.
    """

    api_url: str
    repository: str
    token: str = field(repr=False)
    server_url: str = "https://github.com"
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "GitHub":
        """Reads the variables that GitHub Actions sets, and GITHUB_TOKEN, which a workflow has to pass on.

        Raises:
          UserError: one of them is missing or no address.
        """
        missing = [name for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN") if not environment.get(name)]
        if missing:
            raise UserError(
                f"{' and '.join(missing)} must be set: the repository as owner/name and a token that may write to it."
            )
        api_url = environment.get("GITHUB_API_URL") or "https://api.github.com"
        if not api_url.startswith(("https://", "http://")):
            raise UserError(f"GITHUB_API_URL must be an http address, got {api_url!r}.")
        server_url = environment.get("GITHUB_SERVER_URL") or "https://github.com"
        return cls(api_url, environment["GITHUB_REPOSITORY"], environment["GITHUB_TOKEN"], server_url)

    def pull(self, number: int) -> Mapping[str, Any]:
        """The pull request."""
        return self._call("GET", f"pulls/{number}")

    def upsert_comment(self, number: int, marker: str, body: str, author: str = BOT) -> str:
        """Writes the comment that starts with `marker`: anew, or in the place of an earlier one by `author`.

        Returns:
          The comment's address.
        """
        text = _shortened(f"{marker}\n{body}")
        for comment in self._pages(f"issues/{number}/comments"):
            if comment["user"]["login"] == author and comment["body"].startswith(marker):
                return str(self._call("PATCH", f"issues/comments/{comment['id']}", {"body": text})["html_url"])
        return str(self._call("POST", f"issues/{number}/comments", {"body": text})["html_url"])

    def create_check(
        self, commit: str, name: str, conclusion: str, title: str, summary: str, details_url: str = ""
    ) -> str:
        """Puts a finished check on a commit.

        Returns:
          The check's address.
        """
        check: dict[str, Any] = {
            "name": name,
            "head_sha": commit,
            "status": "completed",
            "conclusion": conclusion,
            "output": {"title": title, "summary": _shortened(summary)},
        }
        if details_url:
            check["details_url"] = details_url
        return str(self._call("POST", "check-runs", check)["html_url"])

    def store(self, branch: str, files: Mapping[str, bytes], message: str) -> dict[str, str]:
        """Commits files, and nothing beside them, to the end of a branch that shares no history with the code.

        Args:
          branch: made if there is none.
          files: by name.
          message: of the commit.

        Returns:
          The address of each file in this commit, by name; it shows the same bytes for as long as the branch exists.
        """
        tree = self._call("POST", "git/trees", {"tree": [self._entry(*file) for file in files.items()]})["sha"]
        for attempt in range(1, _TRIES + 1):
            heads = self._call("GET", f"git/matching-refs/heads/{branch}")
            parents = [head["object"]["sha"] for head in heads if head["ref"] == f"refs/heads/{branch}"]
            made = {"message": message, "tree": tree, "parents": parents}
            commit = self._call("POST", "git/commits", made)["sha"]
            try:
                if parents:
                    self._call("PATCH", f"git/refs/heads/{branch}", {"sha": commit})
                else:
                    self._call("POST", "git/refs", {"ref": f"refs/heads/{branch}", "sha": commit})
            except RunError:  # Another job may have been quicker: then the branch has another end by now.
                if attempt == _TRIES:
                    raise
                self.sleep(attempt)
            else:
                break
        return {name: f"{self.server_url}/{self.repository}/raw/{commit}/{quote(name)}" for name in files}

    def _entry(self, name: str, content: bytes) -> dict[str, str]:
        blob = {"content": base64.b64encode(content).decode(), "encoding": "base64"}
        return {"path": name, "mode": "100644", "type": "blob", "sha": self._call("POST", "git/blobs", blob)["sha"]}

    def react(self, comment_id: int, content: str) -> None:
        """Puts a reaction, such as "rocket", on a comment."""
        self._call("POST", f"issues/comments/{comment_id}/reactions", {"content": content})

    def may_write(self, user: str) -> bool:
        """Whether `user` may push to the repository."""
        answer = self._call("GET", f"collaborators/{quote(user, safe='')}/permission")
        return answer["permission"] in ("admin", "write")

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> None:
        """Starts a workflow that has `workflow_dispatch`, on a branch."""
        self._call("POST", f"actions/workflows/{workflow}/dispatches", {"ref": ref, "inputs": dict(inputs)})

    def _pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        page = 1
        while entries := self._call("GET", f"{path}?per_page=100&page={page}"):
            yield from entries
            page += 1

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request; answers that ask for patience are tried again, a POST only where it cannot have been done.

        Raises:
          RunError: the API refused, or did not answer.
        """
        request = urllib.request.Request(  # noqa: S310 (from_environment checks the scheme)
            f"{self.api_url}/repos/{self.repository}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                "Content-Type": "application/json",
                "User-Agent": "segpipe",
            },
        )
        attempt = 0
        while True:
            attempt += 1
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                    return json.loads(answer.read() or "null")
            except urllib.error.HTTPError as error:
                wait_s = _wait_s(error, method, attempt)
                if wait_s is None or attempt == _TRIES:
                    raise RunError(_sentence(error, method, path)) from None
            except OSError as error:
                if method == "POST" or attempt == _TRIES:
                    raise RunError(f"GitHub did not answer {method} {path}: {error}.") from None
                wait_s = 2.0**attempt
            self.sleep(wait_s)


def _wait_s(error: urllib.error.HTTPError, method: str, attempt: int) -> float | None:
    """Seconds to wait before the next try; None where another try would not help or could do the work twice."""
    retry_after = error.headers.get("Retry-After", "")
    if error.code in (403, 429) and (retry_after.isdigit() or error.headers.get("X-RateLimit-Remaining") == "0"):
        return min(float(retry_after) if retry_after.isdigit() else 2.0**attempt, _LONGEST_WAIT_S)
    if error.code >= 500 and method != "POST":
        return 2.0**attempt
    return None


def _sentence(error: urllib.error.HTTPError, method: str, path: str) -> str:
    try:
        said = json.loads(error.read())["message"]
    except (ValueError, KeyError, TypeError):
        said = error.reason
    hint = {
        401: "the token is not valid here",
        403: "the token lacks a permission; see the job's `permissions`",
        404: "it does not exist, or the token may not see it",
    }.get(error.code, "see https://www.githubstatus.com")
    return f"GitHub answered {error.code} to {method} {path} ({said}): {hint}."


def _shortened(text: str) -> str:
    if len(text) <= MAX_BODY_CHARACTERS:
        return text
    return text[:MAX_BODY_CHARACTERS] + "\n\n… cut here; the artifact of the run has the whole."
