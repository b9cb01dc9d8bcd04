from pathlib import Path

import pytest

from segpipe.publish.directory import Directory
from segpipe.publish.files import File, folder_files, tree_digest
from segpipe.publish.hub import HuggingFace
from segpipe.publish.plan import Plan
from tests.publish.plans import plan


def tree(folder: Path) -> dict[str, bytes]:
    return {file.path: file.read() for file in folder_files(folder)}


def test_writes_the_same_trees_as_the_hub(tmp_path: Path, loopback, client: HuggingFace):
    Directory(tmp_path).publish(plan())
    client.publish(plan())
    for folder, kind in (("models", "model"), ("spaces", "space")):
        commit = loopback.repo("me/pets", kind).find("main")
        pushed = {path: loopback.store.content(blob) for path, blob in commit.tree.items() if path != ".gitattributes"}
        written = tree(tmp_path / folder / "me/pets/main")
        assert set(written) == set(pushed)
        pinned = {"app.py", "README.md"} if kind == "space" else set()  # the commit and the address differ
        assert {p: c for p, c in written.items() if p not in pinned} == {
            p: c for p, c in pushed.items() if p not in pinned
        }


def test_main_and_the_tag_follow_the_newest_version_only(tmp_path: Path):
    hub = Directory(tmp_path)
    hub.publish(plan("v200", weights=b"new"))
    published = hub.publish(plan("v100", weights=b"old"))
    repository = tmp_path / "models/me/pets"
    assert not published.is_newest
    assert (repository / "main").readlink() == (repository / "latest").readlink() == Path("v200")
    assert (repository / "v100/variables/variables.data-00000-of-00001").read_bytes() == b"old"


def test_a_folder_as_seen_from_here_is_written_whole_too(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    published = Directory(Path("hub")).publish(plan())
    assert published.repo_url == (tmp_path / "hub/models/me/pets/v100").as_uri()
    assert (tmp_path / "hub/models/me/pets/main").readlink() == Path("v100")


def test_hidden_files_are_nobodys(tmp_path: Path):
    for path in ("app.py", ".env", ".git/config", ".streamlit/config.toml", ".streamlit/secrets.toml", "a/.DS_Store"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    assert set(tree(tmp_path)) == {"app.py", ".streamlit/config.toml"}
    assert set(tree(tmp_path / ".git")) == {"config"}  # Whoever names a hidden folder means it.


def test_the_same_version_again_rewrites_nothing(tmp_path: Path):
    first = Directory(tmp_path).publish(plan())
    before = (tmp_path / "models/me/pets/v100").stat().st_ino
    assert Directory(tmp_path).publish(plan()) == first
    assert (tmp_path / "models/me/pets/v100").stat().st_ino == before


def test_a_broken_write_leaves_nothing_to_see(tmp_path: Path):
    broken = Plan("me/pets", "v100", (*plan().files, File("assets/last", tmp_path / "missing")))
    with pytest.raises(FileNotFoundError):
        Directory(tmp_path / "hub").publish(broken)
    assert not list((tmp_path / "hub").rglob("v100"))
    Directory(tmp_path / "hub").publish(plan())
    assert {path.name for path in (tmp_path / "hub/models/me/pets").iterdir()} == {"v100", "main", "latest"}


def test_the_commit_depends_on_the_content_alone(tmp_path: Path):
    files = plan().files
    assert tree_digest(files) == tree_digest(reversed(files))
    assert tree_digest(files) != tree_digest(files[1:])
    one = Directory(tmp_path / "a").publish(plan()).commit_id
    assert one == Directory(tmp_path / "b").publish(plan("v200")).commit_id
