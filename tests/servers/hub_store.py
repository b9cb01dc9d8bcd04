"""The state behind the loopback Hub: repositories of commits, branches and tags, and the large files, in memory."""

import base64
import hashlib
import itertools
import json
from dataclasses import dataclass, field

GITATTRIBUTES = "*.pb\n*.h5\n*.keras\n*.tflite\n*.onnx\n*.bin\n*.npy\n*.zip\n"


@dataclass(frozen=True)
class Blob:
    """One file of a commit: its bytes, or the SHA-256 of the large file that holds them."""

    size: int
    content: bytes | None = None
    sha256: str | None = None

    @property
    def oid(self) -> str:
        """The git object id: of the content, or of the LFS pointer."""
        content = self.content if self.content is not None else self.pointer
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()

    @property
    def pointer(self) -> bytes:
        return b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (
            (self.sha256 or "").encode(),
            self.size,
        )


@dataclass(frozen=True)
class Commit:
    oid: str
    title: str
    parent: str | None
    tree: dict[str, Blob]


@dataclass
class Repo:
    """A repository; `commits` are in the order of their making."""

    kind: str
    repo_id: str
    private: bool = False
    sdk: str | None = None
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def find(self, revision: str) -> Commit | None:
        """The commit that a branch, a tag or an object id names."""
        return self.commits.get(self.branches.get(revision) or self.tags.get(revision) or revision)

    def paths(self, revision: str = "main") -> set[str]:
        commit = self.find(revision)
        return set(commit.tree) if commit else set()


class ConflictError(Exception):
    """The branch is not where the committer thought: HTTP 412."""


class MissingError(Exception):
    """A revision, file or large file that does not exist; the message is the Hub's error code."""


class Store:
    """Every repository of the loopback Hub, and the large files by SHA-256."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.large: dict[str, bytes] = {}
        self._serial = itertools.count()

    def create(self, kind: str, repo_id: str, private: bool = False, sdk: str | None = None) -> Repo:
        repo = Repo(kind, repo_id, private, sdk)
        files = {".gitattributes": GITATTRIBUTES.encode()}
        if kind == "space":
            files["README.md"] = f"---\nsdk: {sdk}\n---\n".encode()
        tree = {path: Blob(len(content), content) for path, content in files.items()}
        self._add(repo, "main", "initial commit", None, tree)
        self.repos[kind, repo_id] = repo
        return repo

    def commit(self, repo: Repo, branch: str, lines: list[dict]) -> Commit:
        """Applies the lines of a commit request; raises before anything changes if one of them cannot be."""
        if branch not in repo.branches:
            raise MissingError("RevisionNotFound")
        head = repo.commits[repo.branches[branch]]
        header = next(line["value"] for line in lines if line["key"] == "header")
        if header.get("parentCommit", head.oid) != head.oid:
            raise ConflictError(f"expected {header['parentCommit']}, found {head.oid}")
        tree = dict(head.tree)
        for line in lines:
            self._apply(tree, line["key"], line["value"])
        return self._add(repo, branch, header["summary"], head.oid, tree)

    def _apply(self, tree: dict[str, Blob], key: str, value: dict) -> None:
        if key == "file":
            content = base64.b64decode(value["content"])
            tree[value["path"]] = Blob(len(content), content)
        elif key == "lfsFile":
            if value["oid"] not in self.large:
                raise MissingError("LfsObjectNotFound")
            tree[value["path"]] = Blob(len(self.large[value["oid"]]), sha256=value["oid"])
        elif key == "deletedFile" and tree.pop(value["path"], None) is None:
            raise MissingError("EntryNotFound")

    def _add(self, repo: Repo, branch: str, title: str, parent: str | None, tree: dict[str, Blob]) -> Commit:
        listing = json.dumps({path: blob.oid for path, blob in sorted(tree.items())})
        text = f"{next(self._serial)}{repo.repo_id}{title}{parent}{listing}"
        oid = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        repo.commits[oid] = commit = Commit(oid, title, parent, tree)
        repo.branches[branch] = oid
        return commit

    def content(self, blob: Blob) -> bytes:
        return blob.content if blob.content is not None else self.large[blob.sha256 or ""]
