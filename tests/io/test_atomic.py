"""Nothing half-written is ever seen, whoever writes beside it and however a writer ends."""

import json
import subprocess
import sys

import pytest

from segpipe.io import atomic


def test_a_copied_tree_has_every_file(tmp_path):
    source = tmp_path / "model"
    (source / "variables").mkdir(parents=True)
    (source / "saved_model.pb").write_bytes(b"graph")
    (source / "variables" / "data").write_bytes(b"weights")
    atomic.copy_tree(source, tmp_path / "serving" / "1")
    copied = {p.relative_to(tmp_path / "serving" / "1").as_posix() for p in (tmp_path / "serving" / "1").rglob("*")}
    assert copied == {"saved_model.pb", "variables", "variables/data"}


def test_a_copy_that_dies_leaves_no_target_and_the_next_one_completes(tmp_path, monkeypatch):
    source = tmp_path / "model"
    source.mkdir()
    (source / "a").write_text("a")
    target = tmp_path / "serving" / "1"
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_flush", lambda path: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            atomic.copy_tree(source, target)
    assert not target.exists()
    atomic.copy_tree(source, target)
    assert (target / "a").read_text() == "a"
    assert [p.name for p in target.parent.iterdir()] == ["1"]


def test_a_finished_target_is_left_as_it_is(tmp_path):
    source, target = tmp_path / "model", tmp_path / "serving" / "1"
    source.mkdir()
    (source / "a").write_text("new")
    target.mkdir(parents=True)
    (target / "a").write_text("old")
    atomic.copy_tree(source, target)
    assert (target / "a").read_text() == "old"


def test_text_is_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "summary.json"
    atomic.write_text(path, "one")
    atomic.write_text(path, "two")
    assert path.read_text() == "two"
    assert [p.name for p in path.parent.iterdir()] == ["summary.json"]


WRITER = """
import json, sys
from pathlib import Path
from segpipe.io import atomic
for number in range(40):
    atomic.write_text(Path(sys.argv[1]), json.dumps({"writer": sys.argv[2], "padding": "x" * 50_000}))
"""


def test_many_writers_of_one_file_never_show_a_part_or_meet_an_error(tmp_path):
    path = tmp_path / "summary.json"
    atomic.write_text(path, json.dumps({"writer": "first"}))
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n)]) for n in range(3)]
    while any(writer.poll() is None for writer in writers):
        assert "writer" in json.loads(path.read_text())
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]


def test_an_error_while_writing_leaves_what_was_there(tmp_path):
    path = tmp_path / "a"
    atomic.write_text(path, "old")

    def write_and_fail():
        with atomic.write(path) as stream:
            stream.write(b"new")
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_and_fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_what_a_killed_writer_left_is_removed_and_what_a_live_one_writes_is_not(tmp_path):
    path = tmp_path / "a"
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    (tmp_path / f".a.{gone.pid}.00000000.partial").write_text("half")
    siblings = {f".a.{gone.pid}.{gone.pid}.00000000.partial", f".ab.{gone.pid}.00000000.partial"}  # Of a.PID and of ab.
    for sibling in siblings:
        (tmp_path / sibling).write_text("of another file")
    with atomic.write(path) as stream:
        stream.write(b"live")
        atomic.write_text(path, "done")
        assert len(list(tmp_path.iterdir())) == 4  # The file, its live aside, and the two of other files.
    assert {p.name for p in tmp_path.iterdir()} == {"a", *siblings}


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "v1"
    for content in ("old", "new"):
        with atomic.write_folder(folder) as aside:
            (aside / content).write_text(content)
    assert [p.name for p in folder.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["v1"]


FOLDER_WRITER = """
import sys
from pathlib import Path
from segpipe.io import atomic
source, targets, write = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
for number in range(60):
    if write == "copy_tree":
        atomic.copy_tree(source, targets / str(number))
    else:
        with atomic.write_folder(targets / "1") as aside:
            (aside / "a").write_text("whole")
"""


@pytest.mark.parametrize("write", ["copy_tree", "write_folder"])
def test_many_writers_of_one_folder_meet_no_error_and_leave_it_whole(write, tmp_path):
    source, targets = tmp_path / "model", tmp_path / "serving"
    source.mkdir()
    (source / "a").write_text("whole")
    command = [sys.executable, "-c", FOLDER_WRITER, str(source), str(targets), write]
    writers = [subprocess.Popen(command) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    names = {path.name for path in targets.iterdir()}
    assert names == ({str(number) for number in range(60)} if write == "copy_tree" else {"1"})
    assert all((targets / name / "a").read_text() == "whole" for name in names)
