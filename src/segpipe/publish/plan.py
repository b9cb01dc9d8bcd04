"""What will be published, as one frozen value: checked in full before the first request or the first byte written."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from segpipe.errors import ConfigError, DataError
from segpipe.publish.files import File
from segpipe.publish.space.plan import SpacePlan

REPO_ID = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9]([\w.-]{0,94}[A-Za-z0-9])?/[A-Za-z0-9]([\w.-]{0,94}[A-Za-z0-9])?")
VERSION = re.compile(r"v[0-9]+")
OWNED = ("saved_model.pb", "fingerprint.pb", "keras_metadata.pb", "variables", "assets", "assets.extra", "README.md",
         "pictures", "exports")  # fmt: skip
"""Top-level names that a version replaces; whatever else people put beside them stays."""


@dataclass(frozen=True)
class Plan:
    """One version of a model, ready to publish.

    Attributes:
      repo_id: "user/name".
      version: "v" and a Unix time in seconds; the name of its branch.
      files: of the model repository, the card (README.md) among them.
      private: make new repositories private, and refuse public ones.
      tag: the tag that moves to the newest version.
      space: the demo, or None for none.

    Raises:
      ConfigError: a name that the Hub would refuse.
      DataError: the files are no SavedModel with a card.
    """

    repo_id: str
    version: str
    files: tuple[File, ...]
    private: bool = False
    tag: str = "latest"
    space: SpacePlan | None = None

    def __post_init__(self) -> None:
        for repo_id in (self.repo_id, *([self.space.repo_id] if self.space else [])):
            check_repo_id(repo_id)
        if not VERSION.fullmatch(self.version):
            raise ConfigError(f"a version is v and a Unix time, as in v1764000000, got {self.version!r}.")
        paths = [file.path for file in self.files]
        for required in ("saved_model.pb", "README.md"):
            if required not in paths:
                raise DataError(f"the model to publish has no {required}; expected a SavedModel with a card.")
        for path in paths:
            if not is_owned(path):
                raise ConfigError(f"{path} is none of the places that a version may write: {', '.join(OWNED)}.")
        if len(set(paths)) != len(paths):
            twice = sorted({path for path in paths if paths.count(path) > 1})
            raise ConfigError(f"two files would be published as {', '.join(twice)}.")


def check_repo_id(repo_id: str) -> None:
    """Raises a ConfigError if the Hub would refuse the name of a repository."""
    if not REPO_ID.fullmatch(repo_id):
        raise ConfigError(f"a repository is named user/name in letters, digits, '.', '_' and '-', got {repo_id!r}.")


def is_owned(path: str) -> bool:
    """Whether a file of the model repository belongs to the version, and so is removed with it."""
    return path.split("/")[0] in OWNED


def version_of(unix_time_s: int) -> str:
    """The name of the version of a model that was made at `unix_time_s`."""
    return f"v{unix_time_s}"


def newest(versions: Iterable[str]) -> str | None:
    """The latest of those names that are versions, or None."""
    return max((v for v in versions if VERSION.fullmatch(v)), key=lambda v: int(v[1:]), default=None)


@dataclass(frozen=True)
class Published:
    """What came of it: the outputs of the published HFPusher.

    Attributes:
      pushed_version: the version; `branch` is the same.
      commit_id: of the version's branch.
      repo_url: where people see this version; `space_url` is empty without a Space.
      is_newest: whether main, the tag and the Space now show this version: they never move back to an older one.
    """

    pushed_version: str
    repo_id: str
    branch: str
    commit_id: str
    repo_url: str
    space_url: str
    is_newest: bool
