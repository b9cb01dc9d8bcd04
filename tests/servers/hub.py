"""A Hub on loopback that speaks the Hugging Face Hub's HTTP protocol to the real client, and fails on demand.

As huggingface_hub 2.4 calls it: create repository, refs, branches, tags, validate-yaml, preupload, LFS batch with
single and multipart uploads, commit, tree with pages, resolve, and the OIDC token exchange. No xet: run the client
with HF_HUB_DISABLE_XET=1.
"""

import base64
import fnmatch
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .hub_metadata import problems
from .hub_store import GITATTRIBUTES, Blob, ConflictError, MissingError, Repo, Store

REPO = r"/api/(?P<kind>model|space)s/(?P<repo_id>[^/]+/[^/]+)"
GIT = r"/(?P<spaces>spaces/)?(?P<repo_id>[^/]+/[^/]+)"


@dataclass(frozen=True)
class Fault:
    """How one request goes wrong.

    Attributes:
      status: answered instead of doing anything; 0 cuts the connection.
      after: do what was asked first, then fail: the caller cannot know that it worked.
      headers: of the answer, such as Retry-After.
    """

    status: int = 503
    after: bool = False
    headers: dict[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """An answer that is not 2xx."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class LoopbackHub:
    """A Hub in a thread; a context manager.

    Attributes:
      store: what has been pushed.
      tokens: access token → namespaces that it may write to.
      requests: "METHOD path" of every request so far.
      uploaded_bytes: of large files, over all requests.
      faults: called with the request's number from 0, its method and path; returns how it fails, or None.
      multipart_bytes: large files above this size are asked for in parts of it.
      page_size: entries of a tree per page.
    """

    def __init__(self) -> None:
        self.store = Store()
        self.tokens: dict[str, set[str]] = {}
        self.requests: list[str] = []
        self.uploaded_bytes = 0
        self.faults: Callable[[int, str, str], Fault | None] = lambda number, method, path: None
        self.multipart_bytes = 1 << 40
        self.page_size = 1000
        self._parts: dict[tuple[str, int], bytes] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self.storage = f"http://localhost:{self._server.server_port}"  # Another host, as the Hub's is: not followed.

    def __enter__(self) -> "LoopbackHub":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def repo(self, repo_id: str, kind: str = "model") -> Repo:
        return self.store.repos[kind, repo_id]

    def number(self, method: str, path: str) -> Fault | None:
        """Writes the request down and says whether it is to fail."""
        with self._lock:
            self.requests.append(f"{method} {path}")
            return self.faults(len(self.requests) - 1, method, path)

    def answer(self, request: "Request") -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for one request."""
        for method, pattern, action in _ROUTES:
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                with self._lock:
                    return action(self, request, **{k: unquote(v or "") for k, v in match.groupdict().items()})
        raise RefusedError(404, f"no such route: {request.method} {request.path}")

    # Accounts

    def _namespaces(self, request: "Request") -> set[str] | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens:
            raise RefusedError(401, "Invalid credentials in Authorization header")
        return self.tokens.get(token)

    def _may_write(self, request: "Request", repo_id: str) -> None:
        namespaces = self._namespaces(request)
        if namespaces is None:
            raise RefusedError(401, "Invalid username or password.")
        if repo_id.split("/")[0] not in namespaces:
            raise RefusedError(403, f"You don't have the rights to create or change {repo_id}")

    def _readable(self, request: "Request", kind: str, repo_id: str) -> Repo:
        repo = self.store.repos.get((kind, repo_id))
        namespaces = self._namespaces(request) or set()
        if repo is None or (repo.private and repo_id.split("/")[0] not in namespaces):
            raise RefusedError(404 if namespaces else 401, "Repository not found", "RepoNotFound")
        return repo

    def _writable(self, request: "Request", kind: str, repo_id: str) -> Repo:
        repo = self._readable(request, kind, repo_id)
        self._may_write(request, repo_id)
        return repo

    # Repositories and refs

    def create(self, request: "Request") -> Any:
        wanted = request.json()
        kind, repo_id = wanted.get("type", "model"), f"{wanted['organization']}/{wanted['name']}"
        self._may_write(request, repo_id)
        url = {"url": f"{self.endpoint}/{'spaces/' if kind == 'space' else ''}{repo_id}"}
        if (kind, repo_id) in self.store.repos:
            return _json({"error": "You already created this repo", **url}, 409)
        self.store.create(kind, repo_id, wanted.get("visibility") == "private", wanted.get("sdk"))
        return _json(url)

    def info(self, request: "Request", kind: str, repo_id: str, revision: str = "main") -> Any:
        repo = self._readable(request, kind, repo_id)
        commit = _found(repo, revision)
        return _json({
            "id": repo_id, "sha": commit.oid, "private": repo.private, "tags": [], "sdk": repo.sdk,
            "siblings": [{"rfilename": path} for path in commit.tree],
        })  # fmt: skip

    def refs(self, request: "Request", kind: str, repo_id: str) -> Any:
        repo = self._readable(request, kind, repo_id)

        def listed(refs: dict[str, str], folder: str) -> list[dict[str, str]]:
            return [{"name": n, "ref": f"refs/{folder}/{n}", "targetCommit": oid} for n, oid in refs.items()]

        return _json({"branches": listed(repo.branches, "heads"), "tags": listed(repo.tags, "tags"), "converts": []})

    def create_branch(self, request: "Request", kind: str, repo_id: str, name: str) -> Any:
        repo = self._writable(request, kind, repo_id)
        if name in repo.branches:
            raise RefusedError(409, "Reference already exists")
        repo.branches[name] = _found(repo, request.json().get("startingPoint", "main")).oid
        return _json({})

    def delete_branch(self, request: "Request", kind: str, repo_id: str, name: str) -> Any:
        repo = self._writable(request, kind, repo_id)
        if name == "main" or repo.branches.pop(name, None) is None:
            raise RefusedError(404, "Branch not found", "RevisionNotFound")
        return _json({})

    def create_tag(self, request: "Request", kind: str, repo_id: str, name: str) -> Any:
        repo = self._writable(request, kind, repo_id)
        tag = request.json()["tag"]
        if tag in repo.tags:
            raise RefusedError(409, "Tag already exists")
        repo.tags[tag] = _found(repo, name).oid
        return _json({})

    def delete_tag(self, request: "Request", kind: str, repo_id: str, name: str) -> Any:
        if self._writable(request, kind, repo_id).tags.pop(name, None) is None:
            raise RefusedError(404, "Tag not found", "RevisionNotFound")
        return _json({})

    # Writing

    def validate_yaml(self, request: "Request") -> Any:
        wanted = request.json()
        errors = [{"message": message} for message in problems(wanted["content"], wanted["repoType"])]
        return _json({"errors": errors, "warnings": []}, 400 if errors else 200)

    def preupload(self, request: "Request", kind: str, repo_id: str, revision: str) -> Any:
        tree = _found(self._writable(request, kind, repo_id), revision).tree
        return _json({"files": [_upload_mode(file, tree.get(file["path"])) for file in request.json()["files"]]})

    def lfs_batch(self, request: "Request", repo_id: str, spaces: str) -> Any:
        self._writable(request, "space" if spaces else "model", repo_id)
        objects = [self._upload_action(wanted) for wanted in request.json()["objects"]]
        return _json({"transfer": "basic", "objects": objects})

    def _upload_action(self, wanted: dict[str, Any]) -> dict[str, Any]:
        oid, size = wanted["oid"], wanted["size"]
        if oid in self.store.large:
            return wanted
        upload: dict[str, Any] = {"href": f"{self.endpoint}/upload/{oid}"}
        if size > self.multipart_bytes:
            parts = range(1, -(-size // self.multipart_bytes) + 1)
            header = {str(part): f"{self.endpoint}/upload/{oid}/{part}" for part in parts}
            upload["header"] = {"chunk_size": str(self.multipart_bytes), **header}
        return {**wanted, "actions": {"upload": upload, "verify": {"href": f"{self.endpoint}/verify"}}}

    def put_large(self, request: "Request", oid: str, part: str = "") -> Any:
        self.uploaded_bytes += len(request.body)
        if part:
            self._parts[oid, int(part)] = request.body
        else:
            self._keep_large(oid, request.body)
        return 200, {"ETag": f'"{part or oid}"'}, b""

    def complete_large(self, request: "Request", oid: str) -> Any:
        numbers = [part["partNumber"] for part in request.json()["parts"]]
        self._keep_large(oid, b"".join(self._parts.pop((oid, number)) for number in numbers))
        return _json({})

    def _keep_large(self, oid: str, content: bytes) -> None:
        if hashlib.sha256(content).hexdigest() != oid:
            raise RefusedError(400, "the content does not have the SHA-256 that was announced")
        self.store.large[oid] = content

    def verify_large(self, request: "Request") -> Any:
        wanted = request.json()
        if len(self.store.large.get(wanted["oid"], b"")) != wanted["size"]:
            raise RefusedError(404, "no such large file")
        return _json({})

    def commit(self, request: "Request", kind: str, repo_id: str, revision: str) -> Any:
        repo = self._writable(request, kind, repo_id)
        lines = [json.loads(line) for line in request.body.splitlines()]
        commit = self.store.commit(repo, revision, lines)
        return _json({"commitUrl": f"{self.endpoint}/{repo_id}/commit/{commit.oid}", "commitOid": commit.oid})

    # Reading

    def tree(self, request: "Request", kind: str, repo_id: str, revision: str) -> Any:
        tree = _found(self._readable(request, kind, repo_id), revision).tree
        entries = [_entry(path, blob) for path, blob in sorted(tree.items())]
        start = int(request.query.get("cursor", ["0"])[0])
        headers = {}
        if start + self.page_size < len(entries):
            link = f"{self.endpoint}{request.path}?recursive=True&cursor={start + self.page_size}"
            headers["Link"] = f'<{link}>; rel="next"'
        return _json(entries[start : start + self.page_size], headers=headers)

    def resolve(self, request: "Request", repo_id: str, spaces: str, revision: str, path: str) -> Any:
        commit = _found(self._readable(request, "space" if spaces else "model", repo_id), revision)
        if path not in commit.tree:
            raise RefusedError(404, "Entry not found", "EntryNotFound")
        blob = commit.tree[path]
        headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{blob.oid}"', "Content-Type": "application/octet-stream"}
        if blob.sha256 is None:
            return 200, headers, self.store.content(blob)
        headers |= {"X-Linked-Etag": f'"{blob.sha256}"', "X-Linked-Size": str(blob.size)}
        return 302, {**headers, "Location": f"{self.storage}/large/{blob.sha256}"}, b""

    def large(self, request: "Request", oid: str) -> Any:
        return 200, {"ETag": f'"{oid}"', "Content-Type": "application/octet-stream"}, self.store.large[oid]

    def exchange(self, request: "Request") -> Any:
        """The OIDC exchange: an identity `job-of-NAMESPACE/REPO` gets a short-lived token for that namespace."""
        wanted = request.json()
        if wanted["subject_token"] != f"job-of-{wanted['resource'].removeprefix('spaces/')}":
            raise RefusedError(400, "invalid_grant")  # As the Hub answers: no trusted publisher matches.
        token = f"hf_jwt_{wanted['resource']}"
        self.tokens[token] = {wanted["resource"].removeprefix("spaces/").split("/")[0]}
        return _json({"access_token": token, "token_type": "bearer", "expires_in": 3600})


_READS = [
    (rf"{REPO}/refs", LoopbackHub.refs),
    (REPO, LoopbackHub.info),
    (rf"{REPO}/revision/(?P<revision>[^/]+)", LoopbackHub.info),
    (rf"{REPO}/tree/(?P<revision>[^/]+)", LoopbackHub.tree),
    (rf"{GIT}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", LoopbackHub.resolve),
    (r"/large/(?P<oid>\w+)", LoopbackHub.large),
]
_ROUTES: list[tuple[str, str, Any]] = [
    *[(method, pattern, action) for method in ("GET", "HEAD") for pattern, action in _READS],
    ("POST", "/api/repos/create", LoopbackHub.create),
    ("POST", "/api/validate-yaml", LoopbackHub.validate_yaml),
    ("POST", "/oauth/token", LoopbackHub.exchange),
    ("POST", rf"{REPO}/branch/(?P<name>[^/]+)", LoopbackHub.create_branch),
    ("DELETE", rf"{REPO}/branch/(?P<name>[^/]+)", LoopbackHub.delete_branch),
    ("POST", rf"{REPO}/tag/(?P<name>[^/]+)", LoopbackHub.create_tag),
    ("DELETE", rf"{REPO}/tag/(?P<name>[^/]+)", LoopbackHub.delete_tag),
    ("POST", rf"{REPO}/preupload/(?P<revision>[^/]+)", LoopbackHub.preupload),
    ("POST", rf"{REPO}/commit/(?P<revision>[^/]+)", LoopbackHub.commit),
    ("POST", rf"{GIT}\.git/info/lfs/objects/batch", LoopbackHub.lfs_batch),
    ("PUT", r"/upload/(?P<oid>\w+)", LoopbackHub.put_large),
    ("PUT", r"/upload/(?P<oid>\w+)/(?P<part>\d+)", LoopbackHub.put_large),
    ("POST", r"/upload/(?P<oid>\w+)", LoopbackHub.complete_large),
    ("POST", r"/verify", LoopbackHub.verify_large),
]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, lets the hub answer or the fault strike, writes the answer."""

    hub: LoopbackHub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.hub.number(self.command, url.path)
        headers = {key.lower(): value for key, value in self.headers.items()}
        request = Request(self.command, url.path, parse_qs(url.query), headers, body)
        answer = self._answer(request) if fault is None or fault.after else None
        if fault is not None:
            answer = None if fault.status == 0 else (fault.status, fault.headers, b'{"error": "a fault on demand"}')
        if answer is None:
            self.close_connection = True
            return
        self._write(*answer)

    def _answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        try:
            return self.hub.answer(request)
        except RefusedError as refused:
            code = {"X-Error-Code": refused.code} if refused.code else {}
            return _json({"error": str(refused)}, refused.status, {**code, "X-Error-Message": str(refused)})
        except MissingError as missing:
            return _json({"error": str(missing)}, 404, {"X-Error-Code": str(missing)})
        except ConflictError as conflict:
            return _json({"error": str(conflict)}, 412)

    def _write(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Silent: the tests read `requests` instead."""

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    return status, headers or {}, json.dumps(value).encode()


def _found(repo: Repo, revision: str) -> Any:
    commit = repo.find(revision)
    if commit is None:
        raise MissingError("RevisionNotFound")
    return commit


def _upload_mode(file: dict[str, Any], present: Blob | None) -> dict[str, Any]:
    sample = base64.b64decode(file["sample"])
    by_name = any(fnmatch.fnmatch(file["path"].rsplit("/", 1)[-1], pattern) for pattern in GITATTRIBUTES.split())
    large = by_name or b"\0" in sample or file["size"] > 10_000_000
    oid = None if present is None else present.sha256 or present.oid
    return {
        "path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid
    }  # fmt: skip


def _entry(path: str, blob: Blob) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": blob.size, "oid": blob.oid}
    if blob.sha256:
        entry["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": len(blob.pointer)}
    return entry
