"""GitHub's REST API on loopback, as far as a verdict needs it: pull requests, comments, checks, dispatches, git data.

Refuses what the real one refuses: no token, a token without the permission, a body that is too long, an unknown
workflow input, an object that there is not, a branch's end that is no child of the one before.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MAX_BODY_CHARACTERS = 65_536


@dataclass(frozen=True)
class Fault:
    """How one request goes wrong: answered with `status`; 0 cuts the connection. `after` does the work first."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False


class RefusedError(Exception):
    """An answer that is not 2xx."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class LoopbackGitHub:
    """One repository on a GitHub in a thread; a context manager.

    Attributes:
      tokens: token → login and permissions, as in {"t": ("github-actions[bot]", {"pull-requests": "write"})}.
      pulls: number → {"ref", "sha", "full_name"} of the head; full_name None for a fork that was deleted.
      collaborators: login → permission.
      identity: what a job with `id-token: write` is signed as, at `identity_url` with the token "id-token".
      workflows: file name → names of the inputs of `workflow_dispatch`.
      comments, checks, reactions, dispatches: what has been written.
      branches: name → commit at its end.
      requests: "METHOD path" of every request.
      faults: called with the request's number, method and path; returns how it fails, or None.
    """

    def __init__(self, repository: str = "owner/repo") -> None:
        self.repository = repository
        self.tokens: dict[str, tuple[str, dict[str, str]]] = {}
        self.pulls: dict[int, dict[str, str | None]] = {}
        self.collaborators: dict[str, str] = {}
        self.identity = ""
        self.workflows: dict[str, set[str]] = {}
        self.comments: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []
        self.reactions: list[tuple[int, str]] = []
        self.dispatches: list[dict[str, Any]] = []
        self.branches: dict[str, str] = {}
        self._objects: dict[str, Any] = {}
        self.requests: list[str] = []
        self.faults: Callable[[int, str, str], Fault | None] = lambda number, method, path: None
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"github": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.api_url = f"http://127.0.0.1:{self._server.server_port}"
        self.identity_url = f"{self.api_url}/identity?job=1"

    def __enter__(self) -> "LoopbackGitHub":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add_comment(self, pull: int, login: str, body: str) -> dict[str, Any]:
        number = len(self.comments) + 1
        page = f"https://github.example/{self.repository}/pull/{pull}#issuecomment-{number}"
        comment = {"id": number, "issue": pull, "user": {"login": login}, "body": body, "html_url": page}
        self.comments.append(comment)
        return comment

    def file(self, url: str) -> bytes:
        """What the site shows at the address of a file in a commit."""
        found = re.fullmatch(rf"https://github\.com/{self.repository}/raw/([0-9a-f]{{40}})/(.+)", url)
        assert found, url
        return self._objects[self._objects[self._objects[found[1]]["tree"]][found[2]]]

    def parents(self, commit: str) -> list[str]:
        return self._objects[commit]["parents"]

    def number(self, method: str, path: str) -> Fault | None:
        with self._lock:
            self.requests.append(f"{method} {path}")
            return self.faults(len(self.requests) - 1, method, path)

    def answer(self, method: str, url: str, token: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and JSON for one request."""
        split = urlsplit(url)
        if split.path == "/identity" and token == "id-token" and "audience" in parse_qs(split.query):
            return 200, {"value": self.identity}
        prefix = f"/repos/{self.repository}/"
        if token not in self.tokens:
            raise RefusedError(401, "Bad credentials")
        if not split.path.startswith(prefix):
            raise RefusedError(404, "Not Found")
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        for wanted_method, pattern, permission, action in _ROUTES:
            match = re.fullmatch(pattern, split.path.removeprefix(prefix))
            if match and wanted_method == method:
                login, permissions = self.tokens[token]
                if permission and permissions.get(permission.split(":")[0]) not in _enough(permission):
                    raise RefusedError(403, "Resource not accessible by integration")
                with self._lock:
                    return action(self, *match.groups(), login=login, query=query, body=body)
        raise RefusedError(404, "Not Found")

    def _pull(self, number: str, **_: Any) -> tuple[int, Any]:
        head = self.pulls.get(int(number))
        if head is None:
            raise RefusedError(404, "Not Found")
        repo = {"full_name": head["full_name"]} if head["full_name"] else None
        return 200, {"number": int(number), "head": {"ref": head["ref"], "sha": head["sha"], "repo": repo}}

    def _list_comments(self, number: str, query: dict[str, str], **_: Any) -> tuple[int, Any]:
        of_pull = [comment for comment in self.comments if comment["issue"] == int(number)]
        size, page = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
        return 200, of_pull[(page - 1) * size : page * size]

    def _create_comment(self, number: str, login: str, body: dict[str, Any], **_: Any) -> tuple[int, Any]:
        return 201, self.add_comment(int(number), login, _text(body["body"]))

    def _update_comment(self, number: str, body: dict[str, Any], **_: Any) -> tuple[int, Any]:
        [comment] = [comment for comment in self.comments if comment["id"] == int(number)]
        comment["body"] = _text(body["body"])
        return 200, comment

    def _react(self, number: str, body: dict[str, Any], **_: Any) -> tuple[int, Any]:
        if body["content"] not in ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"):
            raise RefusedError(422, "Validation Failed")
        self.reactions.append((int(number), body["content"]))
        return 201, {"id": len(self.reactions)}

    def _create_check(self, body: dict[str, Any], **_: Any) -> tuple[int, Any]:
        if not re.fullmatch("[0-9a-f]{40}", body["head_sha"]):
            raise RefusedError(422, "Validation Failed")
        if body["conclusion"] not in ("success", "failure", "neutral"):
            raise RefusedError(422, "Validation Failed")
        _text(body["output"]["summary"])
        page = f"https://github.example/{self.repository}/runs/{len(self.checks) + 1}"
        self.checks.append({**body, "html_url": page})
        return 201, self.checks[-1]

    def _permission(self, login: str, **_: Any) -> tuple[int, Any]:
        return 200, {"permission": self.collaborators.get(login, "read")}

    def _dispatch(self, workflow: str, body: dict[str, Any], **_: Any) -> tuple[int, Any]:
        if workflow not in self.workflows:
            raise RefusedError(404, "Not Found")
        if unknown := set(body["inputs"]) - self.workflows[workflow]:
            raise RefusedError(422, f"Unexpected inputs provided: {sorted(unknown)}")
        self.dispatches.append({"workflow": workflow, **body})
        return 204, None

    def _create_blob(self, body: dict[str, Any], **_: Any) -> tuple[int, Any]:
        assert body["encoding"] == "base64"
        return self._put(base64.b64decode(body["content"], validate=True))

    def _create_tree(self, body: dict[str, Any], **_: Any) -> tuple[int, Any]:
        if any((entry["mode"], entry["type"]) != ("100644", "blob") for entry in body["tree"]):
            raise RefusedError(422, "Validation Failed")
        return self._put({entry["path"]: self._known(entry["sha"]) for entry in body["tree"]})

    def _create_commit(self, body: dict[str, Any], **_: Any) -> tuple[int, Any]:
        parents = [self._known(parent) for parent in body["parents"]]
        return self._put({"message": body["message"], "tree": self._known(body["tree"]), "parents": parents})

    def _matching_refs(self, prefix: str, **_: Any) -> tuple[int, Any]:
        found = sorted((name, sha) for name, sha in self.branches.items() if name.startswith(prefix))
        return 200, [{"ref": f"refs/heads/{name}", "object": {"type": "commit", "sha": sha}} for name, sha in found]

    def _create_ref(self, body: dict[str, Any], **_: Any) -> tuple[int, Any]:
        if not body["ref"].startswith("refs/heads/"):
            raise RefusedError(422, "Reference does not exist")
        name = body["ref"].removeprefix("refs/heads/")
        if name in self.branches:
            raise RefusedError(422, "Reference already exists")
        self.branches[name] = self._known(body["sha"])
        return 201, {"ref": body["ref"]}

    def _update_ref(self, name: str, body: dict[str, Any], **_: Any) -> tuple[int, Any]:
        if name not in self.branches:
            raise RefusedError(422, "Reference does not exist")
        if self.branches[name] not in self._objects[self._known(body["sha"])]["parents"]:
            raise RefusedError(422, "Update is not a fast forward")
        self.branches[name] = body["sha"]
        return 200, {"ref": f"refs/heads/{name}"}

    def _put(self, value: Any) -> tuple[int, Any]:
        sha = hashlib.sha1(repr(value).encode(), usedforsecurity=False).hexdigest()
        self._objects[sha] = value
        return 201, {"sha": sha}

    def _known(self, sha: str) -> str:
        if sha not in self._objects:
            raise RefusedError(422, "Object does not exist")
        return sha


def _enough(permission: str) -> tuple[str, ...]:
    return ("write",) if permission.endswith(":write") else ("read", "write")


def _text(text: str) -> str:
    if len(text) > MAX_BODY_CHARACTERS:
        raise RefusedError(422, "Body is too long (maximum is 65536 characters)")
    return text


_ROUTES: tuple[tuple[str, str, str, Callable[..., tuple[int, Any]]], ...] = (
    ("GET", r"pulls/(\d+)", "pull-requests:read", LoopbackGitHub._pull),
    ("GET", r"issues/(\d+)/comments", "pull-requests:read", LoopbackGitHub._list_comments),
    ("POST", r"issues/(\d+)/comments", "pull-requests:write", LoopbackGitHub._create_comment),
    ("PATCH", r"issues/comments/(\d+)", "pull-requests:write", LoopbackGitHub._update_comment),
    ("POST", r"issues/comments/(\d+)/reactions", "pull-requests:write", LoopbackGitHub._react),
    ("POST", r"check-runs", "checks:write", LoopbackGitHub._create_check),
    ("POST", r"git/blobs", "contents:write", LoopbackGitHub._create_blob),
    ("POST", r"git/trees", "contents:write", LoopbackGitHub._create_tree),
    ("POST", r"git/commits", "contents:write", LoopbackGitHub._create_commit),
    ("GET", r"git/matching-refs/heads/(.+)", "contents:read", LoopbackGitHub._matching_refs),
    ("POST", r"git/refs", "contents:write", LoopbackGitHub._create_ref),
    ("PATCH", r"git/refs/heads/(.+)", "contents:write", LoopbackGitHub._update_ref),
    ("GET", r"collaborators/([^/]+)/permission", "", lambda github, user, **_: github._permission(login=user)),
    ("POST", r"actions/workflows/([^/]+)/dispatches", "actions:write", LoopbackGitHub._dispatch),
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    github: LoopbackGitHub

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or "{}")
        fault = self.github.number(self.command, self.path)
        if fault and not fault.after:
            self._fail(fault)
            return
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            status, answer = self.github.answer(self.command, self.path, token, body)
        except RefusedError as refused:
            status, answer = refused.status, {"message": str(refused)}
        if fault:
            self._fail(fault)
        else:
            self._send(status, answer, {})

    do_GET = do_POST = do_PATCH = _handle  # noqa: N815

    def _fail(self, fault: Fault) -> None:
        if fault.status:
            self._send(fault.status, {"message": "out of order"}, fault.headers)
        else:
            self.close_connection = True

    def _send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        content = b"" if status == 204 else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keeps quiet."""
