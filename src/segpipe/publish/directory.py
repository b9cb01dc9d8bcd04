"""Writes a plan as local folders with the Hub's trees: each appears whole, and `main` points to the newest.

FOLDER/models/user/name/v1764000000/…      one version
FOLDER/models/user/name/main → v1764000000  what the Hub's main branch would hold
FOLDER/spaces/user/name/…                   likewise, the demo of each version
"""

from dataclasses import dataclass
from pathlib import Path

from segpipe.io import atomic
from segpipe.publish.files import File, folder_files, tree_digest
from segpipe.publish.plan import Plan, Published, newest
from segpipe.publish.space.plan import ModelRevision


@dataclass(frozen=True)
class Directory:
    """A local stand-in for the Hub, under `folder`."""

    folder: Path

    def publish(self, plan: Plan) -> Published:
        """Writes one version; a version that is there already with the same bytes is left as it is."""
        folder = self.folder.absolute()
        repository = folder / "models" / plan.repo_id
        target = repository / plan.version
        commit_id = tree_digest(plan.files)
        _write(target, plan.files)
        is_newest = newest(path.name for path in repository.iterdir()) == plan.version
        space_url = ""
        if plan.space is not None:
            model = ModelRevision(plan.repo_id, plan.version, commit_id, target.as_uri())
            spaces = folder / "spaces" / plan.space.repo_id
            _write(spaces / plan.version, plan.space.render(model))
            space_url = (spaces / plan.version).as_uri()
            if is_newest:
                _point(spaces / "main", plan.version)
        if is_newest:
            _point(repository / "main", plan.version)
            _point(repository / plan.tag, plan.version)
        return Published(plan.version, plan.repo_id, plan.version, commit_id, target.as_uri(), space_url, is_newest)


def _write(target: Path, files: tuple[File, ...]) -> None:
    """Writes the files aside, then renames: a reader sees all of them or none."""
    if target.exists() and tree_digest(folder_files(target)) == tree_digest(files):
        return
    with atomic.write_folder(target) as aside:
        for file in files:
            path = aside / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.read())


def _point(link: Path, version: str) -> None:
    """Makes `link` point to the version beside it, without a moment in which it points nowhere."""
    aside = atomic.aside_name(link)
    aside.symlink_to(version, target_is_directory=True)
    aside.replace(link)
