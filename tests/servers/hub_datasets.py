"""The data sets of a Hub on loopback, read-only, as huggingface_hub's file system asks for them: info, tree, files.

The converted Parquet files of a data set lie on the branch refs/convert/parquet, as on the real Hub.
"""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

MAIN, CONVERTED = "main", "refs/convert/parquet"
_API = re.compile(r"/api/datasets/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?")
_FILE = re.compile(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


class LoopbackDatasets:
    """A server in a thread; a context manager.

    Attributes:
      files: content by data set, branch and path.
      token: the access token that every request has to bring; "" for public data sets.
      asked: "METHOD path" of every request so far.
      endpoint: the Hub's address.
    """

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], dict[str, bytes]] = {}
        self.token = ""
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "LoopbackDatasets":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        """Status and JSON of a question about a repository."""
        if not (match := _API.fullmatch(path)):
            return 404, {"error": f"no such route: {path}"}
        repo_id, what, revision, under = match[1], match[2], unquote(match[3] or MAIN), unquote(match[4] or "")
        tree = self.files.get((repo_id, revision))
        if tree is None:
            return 404, {"error": "Repository or revision not found"}
        if what == "tree":
            return 200, _entries(tree, under, query.get("recursive", ["false"])[0].lower() == "true")
        if what == "paths-info":
            wanted = parse_qs(body.decode()).get("paths") or json.loads(body)["paths"]
            return 200, [_entry(name, tree[name]) for name in wanted if name in tree]
        siblings = [{"rfilename": name} for name in tree]
        return 200, {"id": repo_id, "sha": _oid(repo_id.encode()), "private": bool(self.token), "siblings": siblings}


class _Handler(BaseHTTPRequestHandler):
    hub: LoopbackDatasets
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.hub.asked.append(f"{self.command} {url.path}")
        if self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._write(401, json.dumps({"error": "Invalid username or password."}).encode(), {})
        elif file := _FILE.fullmatch(url.path):
            self._file(self.hub.files.get((file[1], unquote(file[2])), {}).get(unquote(file[3])))
        else:
            status, value = self.hub.answer(url.path, parse_qs(url.query), body)
            code = {"X-Error-Code": "RepoNotFound"} if status == 404 else {}
            self._write(status, json.dumps(value).encode(), code)

    def _file(self, content: bytes | None) -> None:
        if content is None:
            self._write(404, b"{}", {"X-Error-Code": "EntryNotFound"})
            return
        headers = {"ETag": f'"{_oid(content)}"', "X-Repo-Commit": _oid(b""), "Accept-Ranges": "bytes"}
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not span:
            self._write(200, content, headers)
            return
        start, end = int(span[1]), int(span[2] or len(content) - 1)
        headers["Content-Range"] = f"bytes {start}-{min(end, len(content) - 1)}/{len(content)}"
        self._write(206, content[start : end + 1], headers)

    def _write(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Silent: the tests read `asked` instead."""

    do_GET = do_HEAD = do_POST = _serve  # noqa: N815


def _entries(tree: dict[str, bytes], under: str, recursive: bool) -> list[dict[str, Any]]:
    prefix = f"{under}/" if under else ""
    below = sorted(name for name in tree if name.startswith(prefix))
    folders = {
        prefix + "/".join(parts[:depth])
        for name in below
        for parts in [name[len(prefix) :].split("/")]
        for depth in range(1, len(parts))
    }
    if not recursive:
        below = [name for name in below if "/" not in name[len(prefix) :]]
        folders = {name for name in folders if "/" not in name[len(prefix) :]}
    found = [{"type": "directory", "path": name, "oid": _oid(name.encode()), "size": 0} for name in sorted(folders)]
    return [*found, *(_entry(name, tree[name]) for name in below)]


def _entry(name: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(content), "oid": _oid(content)}


def _oid(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
